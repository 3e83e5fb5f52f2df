/* SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config_stale.h"
#include "sip/via.h"
#include "tls/tls.h"

static void defaults(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct config *c = load(head, error);

	if (!c)
		fail_msg("%s", error);
	assert_int_equal(c->dataplane.workers, 1);
	assert_int_equal(c->dataplane.cores[0], -1);
	assert_false(c->dataplane.idle_sleep);
	assert_int_equal(c->dataplane.node, 1);
	assert_string_equal(c->node_name, "strowger");
	assert_string_equal(c->dataplane.ports[0].devices[0], "net_af_xdp0,iface=port0,start_queue=0,queue_count=1");
	assert_int_equal(c->dataplane.ports[0].mtu, 1500);
	assert_int_equal(c->dataplane.ports[0].vlan, 0);
	assert_int_equal(c->ports[0].address_count, 2);
	assert_int_equal(c->ports[0].addresses[0].length, 24);
	assert_int_equal(c->ports[0].addresses[0].ip.bytes[3], 1);
	assert_int_equal(c->ports[0].gateway_count, 1);
	assert_int_equal(c->dataplane.listeners[0].addr.port, 5060);
	assert_int_equal(c->limits.trunks, 1000);
	assert_int_equal(c->dataplane.limits.tables.trunks, 2000 + TRUNKS_GONE_MAX);
	assert_int_equal(c->dataplane.limits.tables.workers, 1);
	assert_int_equal(c->dataplane.timers.timer_c, 185000);
	assert_int_equal(c->dataplane.unknown_source, UNKNOWN_SOURCE_403);
	assert_string_equal(c->dataplane.server_name, "Strowger");
	assert_string_equal(c->control_socket, "/run/strowger/control.sock");
	assert_string_equal(c->control_group, "");
	assert_string_equal(c->state_file, "");
	assert_int_equal(c->drain_timeout_s, 30);
	assert_int_equal(c->routing->trunk_count, 0);
	assert_int_equal(c->dataplane.limits.in_progress, 0); /* as many as transactions */
	assert_int_equal(c->dataplane.limits.call_age_s, 43200);
	assert_int_equal(c->dataplane.limits.trace_mb, 8);
	assert_int_equal(c->dataplane.limits.trace_s, 2);
	assert_int_equal(c->dataplane.limits.connections_per_source, 8192);
	assert_int_equal(c->dataplane.tcp.message_timeout_s, 32);
	assert_int_equal(c->dataplane.name_count, 0);
	assert_string_equal(c->cdr.path, "");
	assert_string_equal(c->dataplane.record_file, "");
	assert_int_equal(c->resolver.query.server_count, 0);
	assert_int_equal(c->resolver.query.timeout_ms, 1000);
	assert_int_equal(c->resolver.query.tries, 2);
	assert_int_equal(c->resolver.min_ttl_s, 5);
	assert_int_equal(c->resolver.max_ttl_s, 3600);
	assert_false(c->tls.listens);
	assert_string_equal(c->tls.ca, "/etc/ssl/certs/ca-certificates.crt");
	assert_string_equal(c->tls.certificates, "");
	assert_int_equal(c->tls.server_count, 1);
	assert_int_equal(c->tls.servers[0].clients, TLS_CLIENT_IGNORED);
	assert_int_equal(c->tls.ticket_rotate_s, 86400);
	assert_int_equal(c->tls.warning_days, 30);
	assert_int_equal(c->dataplane.tls.sessions, 0);
	assert_int_equal(c->dataplane.tls.handshake_budget_us, 1000);
	assert_int_equal(c->probe.given, PROBE_ALL);
	assert_true(c->probe.enabled);
	assert_int_equal(c->probe.interval_ms, 30000);
	assert_int_equal(c->probe.timeout_ms, 2000);
	assert_int_equal(c->probe.down_after, 2);
	assert_int_equal(c->probe.up_after, 1);
	assert_int_equal(c->probe.accept_count, 0);
	assert_string_equal(c->probe.from, "");
	assert_string_equal(c->probe.to, "");
	assert_string_equal(c->probe.user_agent, "Strowger");
	assert_int_equal(c->probe.max_forwards, 70);
	config_free(c);
}

/* A file where little has its default. */
static const char *const everything_text =
	"node: {id: 7, name: pop-7}\n"
	"workers: {count: 1, cores: [2, 3], idle: sleep}\n"
	"ports:\n"
	"  - {name: sip0, device: '0000:00:05.0', mtu: 9000, vlan: 12}\n"
	"  - {name: sip1, driver: af_packet, interface: eth1}\n"
	"listeners:\n"
	"  - {address: 10.77.0.1, port: 5062, transport: udp}\n"
	"  - {address: 'fd77::1', port: 5060}\n"
	"  - {address: 10.77.0.1, port: 5062, transport: tcp}\n"
	"  - {address: 10.77.0.1, transport: tls}\n"
	"  - {address: 10.77.0.1, port: 5071, transport: tls, server: carriers}\n"
	"limits: {transactions: 128, in_progress: 64, calls: 256, call_age_s: 90, message_mb: 2, trace_mb: 0, trace_s: 5, fragments: 3, mbufs: 4096, connections: 99, connections_per_source: 9, stream_mb: 3, numbers: 5, prefixes: 6, profiles: 7, "
	"trunks: 8, endpoints: 9}\n"
	"timers: {t1_ms: 100, t2_ms: 200, t4_ms: 300, timer_c_ms: 4000}\n"
	"tcp: {idle_s: 0, message_timeout_s: 5, connect_timeout_ms: 700, keepalive_s: 8, port_low: 41000, port_high: 41999}\n"
	"tls:\n"
	"  certificates: /etc/strowger/certificates\n"
	"  default: sip.example.com\n"
	"  client_certificates: requested\n"
	"  client_ca: /etc/clients.pem\n"
	"  ciphers: ECDHE-ECDSA-AES128-GCM-SHA256\n"
	"  ca: /etc/ca.pem\n"
	"  ticket_keys: /var/lib/tickets\n"
	"  ticket_rotate_s: 0\n"
	"  ticket_keep: 3\n"
	"  sessions: 77\n"
	"  handshakes: 5\n"
	"  handshake_budget_us: 500\n"
	"  handshake_timeout_ms: 900\n"
	"  tickets: 0\n"
	"  warning_days: 20\n"
	"  major_days: 5\n"
	"  critical_days: 0\n"
	"  unverified_callbacks: true\n"
	"  servers:\n"
	"    - {name: carriers, default: edge, client_certificates: required, minimum_version: '1.3', ciphersuites: TLS_AES_128_GCM_SHA256}\n"
	"ejection: {after: 0, after_failures: 9, numbers: 2, window_s: 20, window_percent: 30, window_calls: 40, first_s: 5, max_s: 7, share_percent: 100, "
	"ramp_s: 6, last_resort: false}\n"
	"quality: {window_s: 30, calls: 20, fall_percent: 40, short_s: 0, short_percent: 10, cause_percent: 15}\n"
	"access: {unknown_source: silent}\n"
	"number_plan: {country_code: '44', international_prefix: '00', national_prefix: '0'}\n"
	"probe: {enabled: false, interval_ms: 100, timeout_ms: 50, down_after: 3, up_after: 4, accept: [200, 404], "
	"from: 'sip:q@pop.example', to: 'sip:ping@x', user_agent: '', max_forwards: 0}\n"
	"server_name: ''\n"
	"names: [SIP.Example.com., b]\n"
	"cdr: {file: /var/log/x/cdr.jsonl, rotate_mb: 0, keep: 3}\n"
	"versions: {keep: 7, mb: 2}\n"
	"control: {socket: /tmp/x.sock, group: operators}\n"
	"state_file: /tmp/state\n"
	"token_key_file: /tmp/key\n"
	"drain_timeout_s: 0\n"
	"trunks:\n"
	"  - {name: a, endpoints: [{address: 10.0.0.1, port: 5070, priority: 1, weight: 0}], sources: [10.0.0.0/24], profile: in, "
	"request_uri: keep, large_requests: udp, connection_reuse: true, host: a.example, number_plan: {country_code: '1'}, probe: {enabled: true, accept: [405]}, "
	"tls: {name: Carrier.Example., ca: /etc/ca.pem, allow_wildcard: true, verify: false, certificate: edge, minimum_version: '1.3'}}\n"
	"profiles:\n"
	"  - {name: in, strategy: weighted_lb, response_timeout_ms: 0, ring_timeout_s: 180, decline_scope: target, follow_redirects: true, retry_codes: {add: [480], remove: [501]}, "
	"targets: [{trunk: A, weight: 3, enabled: false}]}\n"
	"numbers:\n"
	"  - {number: '+442035550100', profile: in}\n"
	"  - {prefix: +44, profile: in}\n"
	"domains:\n"
	"  - {domain: Example.COM., profile: in}\n";

static void check_dataplane(const struct config *c)
{
	assert_int_equal(c->dataplane.node, 7);
	assert_int_equal(c->dataplane.workers, 2);
	assert_int_equal(c->dataplane.cores[1], 3);
	assert_true(c->dataplane.idle_sleep);
	assert_string_equal(c->dataplane.ports[0].devices[0], "0000:00:05.0");
	assert_int_equal(c->dataplane.ports[0].vlan, 12);
	assert_string_equal(c->dataplane.ports[1].devices[0], 
			    "net_af_packet1,iface=eth1,qpairs=2,framesz=8192,blocksz=65536,framecnt=2048,qdisc_bypass=0");
	assert_int_equal(c->dataplane.listeners[0].addr.port, 5062);
	assert_int_equal(c->dataplane.listeners[0].transport, TRANSPORT_UDP);
	assert_int_equal(c->dataplane.listeners[2].transport, TRANSPORT_TCP);
	assert_int_equal(c->dataplane.limits.fragments, 3);
	assert_int_equal(c->dataplane.limits.connections, 99);
	assert_int_equal(c->dataplane.limits.connections_per_source, 9);
	assert_int_equal(c->dataplane.limits.stream_mb, 3);
	assert_int_equal(c->dataplane.tcp.idle_s, 0);
	assert_int_equal(c->dataplane.tcp.message_timeout_s, 5);
	assert_int_equal(c->dataplane.tcp.connect_timeout_ms, 700);
	assert_int_equal(c->dataplane.tcp.keepalive_s, 8);
	assert_int_equal(c->dataplane.tcp.port_low, 41000);
	assert_int_equal(c->dataplane.tcp.port_high, 41999);
	assert_int_equal(c->dataplane.limits.tables.endpoints, 18);
	assert_int_equal(c->dataplane.timers.t4, 300);
	assert_int_equal(c->dataplane.ejection.after, 0);
	assert_int_equal(c->dataplane.ejection.after_failures, 9);
	assert_int_equal(c->dataplane.ejection.numbers, 2);
	assert_int_equal(c->dataplane.ejection.window_ms, 20000);
	assert_int_equal(c->dataplane.ejection.window_percent, 30);
	assert_int_equal(c->dataplane.ejection.window_calls, 40);
	assert_int_equal(c->dataplane.ejection.ramp_ms, 6000);
	assert_false(c->dataplane.ejection.last_resort);
	assert_int_equal(c->dataplane.ejection.first_ms, 5000);
	assert_int_equal(c->dataplane.ejection.max_ms, 7000);
	assert_int_equal(c->dataplane.ejection.share_percent, 100);
	assert_int_equal(c->dataplane.unknown_source, UNKNOWN_SOURCE_SILENT);
	assert_string_equal(c->dataplane.server_name, "");
	assert_int_equal(c->dataplane.limits.in_progress, 64);
	assert_int_equal(c->dataplane.limits.call_age_s, 90);
	assert_int_equal(c->dataplane.limits.trace_mb, 0);
	assert_int_equal(c->dataplane.limits.trace_s, 5);
	assert_int_equal(c->dataplane.name_count, 2);
	assert_string_equal(c->dataplane.names[0], "sip.example.com");
	assert_string_equal(c->dataplane.record_file, "/var/log/x/.records");
}

static void check_control(const struct config *c)
{
	assert_int_equal(c->quality.window_s, 30);
	assert_int_equal(c->quality.calls, 20);
	assert_int_equal(c->quality.fall_percent, 40);
	assert_int_equal(c->quality.short_s, 0);
	assert_int_equal(c->quality.short_percent, 10);
	assert_int_equal(c->quality.cause_percent, 15);
	assert_string_equal(c->number_plan.country_code, "44");
	assert_string_equal(c->control_group, "operators");
	assert_int_equal(c->drain_timeout_s, 0);
	assert_false(c->probe.enabled);
	assert_int_equal(c->probe.interval_ms, 100);
	assert_int_equal(c->probe.accept[1], 404);
	assert_string_equal(c->probe.from, "sip:q@pop.example");
	assert_string_equal(c->probe.to, "sip:ping@x");
	assert_string_equal(c->probe.user_agent, "");
	assert_int_equal(c->probe.max_forwards, 0);
	assert_string_equal(c->cdr.path, "/var/log/x/cdr.jsonl");
	assert_int_equal(c->cdr.rotate_bytes, 0);
	assert_int_equal(c->cdr.keep, 3);
	assert_int_equal(c->versions.keep, 7);
	assert_int_equal(c->versions.bytes, 2 << 20);
}

static void check_tls(const struct config *c)
{
	const struct config_tls *t = &c->tls;
	const struct dataplane_tls *d = &c->dataplane.tls;
	const struct config_tls_server *a = &t->servers[0], *b = &t->servers[1];

	assert_true(t->listens);
	assert_int_equal(c->dataplane.listeners[3].addr.port, 5061);
	assert_int_equal(c->dataplane.listeners[3].tls_server, 0);
	assert_int_equal(c->dataplane.listeners[4].tls_server, 1);
	assert_string_equal(t->certificates, "/etc/strowger/certificates");
	assert_string_equal(t->ca, "/etc/ca.pem");
	assert_string_equal(t->ticket_keys, "/var/lib/tickets");
	assert_int_equal(t->ticket_rotate_s, 0);
	assert_int_equal(t->ticket_keep, 3);
	assert_int_equal(t->warning_days, 20);
	assert_int_equal(t->major_days, 5);
	assert_int_equal(t->critical_days, 0);
	assert_int_equal(d->sessions, 77);
	assert_int_equal(d->handshakes, 5);
	assert_int_equal(d->handshake_budget_us, 500);
	assert_int_equal(d->handshake_timeout_ms, 900);
	assert_int_equal(d->tickets, 0);
	assert_true(d->unverified_callbacks);
	assert_int_equal(t->server_count, 2);
	assert_string_equal(a->pair, "sip.example.com");
	assert_int_equal(a->clients, TLS_CLIENT_REQUESTED);
	assert_int_equal(a->minimum, TLS_MINIMUM_1_2);
	assert_string_equal(b->name, "carriers"); /* what it does not say is as in the default one */
	assert_string_equal(b->pair, "edge");
	assert_int_equal(b->clients, TLS_CLIENT_REQUIRED);
	assert_string_equal(b->client_ca, "/etc/clients.pem");
	assert_int_equal(b->minimum, TLS_MINIMUM_1_3);
	assert_string_equal(b->ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_string_equal(b->ciphersuites, "TLS_AES_128_GCM_SHA256");
}

static void check_trunk_tls(const struct trunk_tls *t)
{
	assert_string_equal(t->name, "carrier.example");
	assert_string_equal(t->ca, "/etc/ca.pem");
	assert_string_equal(t->certificate, "edge");
	assert_true(t->allow_wildcard);
	assert_true(t->unverified);
	assert_int_equal(t->minimum, TLS_MINIMUM_1_3);
}

static void check_routing(const struct config *c)
{
	const struct model_profile *p;
	struct probe_settings s;

	assert_string_equal(c->routing->trunks[0].plan.country_code, "1");
	assert_int_equal(c->routing->trunks[0].request_uri, TRUNK_URI_KEEP);
	assert_int_equal(c->routing->trunks[0].large_requests, TRUNK_LARGE_UDP);
	assert_true(c->routing->trunks[0].connection_reuse);
	assert_string_equal(c->routing->domains[0].name, "example.com");
	s = probe_settings_over(&c->routing->trunks[0].probe, &c->probe);
	assert_true(s.enabled);
	assert_int_equal(s.timeout_ms, 50);
	assert_int_equal(s.down_after, 3);
	assert_int_equal(s.up_after, 4);
	assert_int_equal(s.accept_count, 1);
	assert_int_equal(s.accept[0], 405);
	check_trunk_tls(&c->routing->trunks[0].tls);
	p = model_profile(c->routing, "IN");
	assert_non_null(p);
	assert_int_equal(p->knobs.response_timeout_ms, 0);
	assert_int_equal(p->knobs.ring_timeout_ms, 180000);
	assert_true(code_set_has(&p->knobs.retry_codes, 480));
	assert_false(code_set_has(&p->knobs.retry_codes, 501));
	assert_true(code_set_has(&p->knobs.retry_codes, 408));
	assert_false(p->targets[0].enabled);
	assert_true(p->knobs.decline_ends_target);
	assert_true(p->knobs.follow_redirects);
}

static void everything(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct config *c = load(everything_text, error);

	if (!c)
		fail_msg("%s", error);
	check_dataplane(c);
	check_tls(c);
	check_control(c);
	check_routing(c);
	config_free(c);
}

static void missing_file(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct config *c;

	assert_int_equal(config_load("/nonexistent/strowger.yaml", &c, error), -ERR_IO);
	assert_string_equal(error, "/nonexistent/strowger.yaml: No such file or directory");
}

/* The file that ships as a reference is good. */
static void shipped(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct config *c = NULL;

	if (config_load(SHIPPED_CONFIG, &c, error))
		fail_msg("%s", error);
	config_free(c);
}

static void routing_again(void **state)
{
	char error[ERROR_TEXT_MAX] = "", text[1024];
	struct config *c = load(head, error);
	struct model *m = NULL;

	assert_non_null(c);
	snprintf(text, sizeof(text), "%strunks: [{name: a}]\n", head);
	write_file(path, text);
	assert_int_equal(config_load_routing(c, &m, error), 0);
	assert_int_equal(m->trunk_count, 1);
	model_free(m);
	snprintf(text, sizeof(text), "%strunks: [{name: a}, {name: a}]\n", head);
	write_file(path, text);
	assert_int_equal(config_load_routing(c, &m, error), -ERR_INVALID);
	config_free(c);
}

/* What is edited, and not read before the next start. */
static void stale(void **state)
{
	static const struct {
		const char *text, *sections, *error;
	} rows[] = {
		{ "ejection: {after: 3}\n", "" },
		{ "ejection:\n  after:   3 # the same\ntrunks: [{name: a}]\n", "" },
		{ "ejection: {after: 4}\n", "ejection" },
		{ "ejection: {after: 3, ramp_s: 1}\nresolver: {tries: 2}\nquality: {calls: 60}\n", "ejection, resolver, quality" },
		{ "trunks: [{name: a}]\n", "ejection" },
		{ "ejection: {afterwards: 4}\n", NULL, "5: ejection.afterwards: unknown key" },
	};
	char error[ERROR_TEXT_MAX] = "", sections[CONFIG_STALE_MAX], text[1024];
	struct config *c;

	snprintf(text, sizeof(text), "%sejection: {after: 3}\n", head);
	c = load(text, error);
	assert_non_null(c);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "%s%s", head, rows[i].text);
		write_file(path, text);
		if (rows[i].sections) {
			assert_int_equal(config_stale(c, sections, error), 0);
			assert_string_equal(sections, rows[i].sections);
		} else {
			assert_int_equal(config_stale(c, sections, error), -ERR_INVALID);
			assert_non_null(strstr(error, rows[i].error));
		}
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(config_stale(c, sections, error), -ERR_IO);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale),   cmocka_unit_test(defaults),	    cmocka_unit_test(everything), cmocka_unit_test(missing_file),
		cmocka_unit_test(shipped), cmocka_unit_test(routing_again),
	};

	return cmocka_run_group_tests(tests, config_folder_new, config_folder_free);
}
