/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "config.h"
#include "config_stale.h"
#include "sip/via.h"
#include "tls/tls.h"

static char directory[64], path[96];

static const char *const head = "ports:\n"
				"  - {name: sip0, driver: af_xdp, interface: port0, addresses: [10.77.0.1/24, 'fd77::1/64'], gateways: [10.77.0.254]}\n"
				"listeners:\n"
				"  - {address: 10.77.0.1}\n";

static struct config *load(const char *text, char *error)
{
	struct config *c = NULL;

	write_file(path, text);
	return config_load(path, &c, error) ? NULL : c;
}

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
	assert_int_equal(c->dataplane.limits.call_age_s, 43200);
	assert_int_equal(c->dataplane.limits.trace_mb, 8);
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
	"limits: {transactions: 128, calls: 256, call_age_s: 90, message_mb: 2, trace_mb: 0, fragments: 3, mbufs: 4096, connections: 99, connections_per_source: 9, stream_mb: 3, numbers: 5, prefixes: 6, profiles: 7, "
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
	assert_int_equal(c->dataplane.limits.call_age_s, 90);
	assert_int_equal(c->dataplane.limits.trace_mb, 0);
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

static const struct {
	const char *text, *error; /* with FILE: in front; the text follows `head` */
} bad[] = {
	/* syntax and schema: lines count from the top of the file */
	{ "foo: 1\n",
	  "5: foo: unknown key (known here: node region workers ports listeners limits timers tcp tls quality ejection access number_plan probe server_name names control "
	  "resolver cdr versions alarms numbers_file state_file token_key_file drain_timeout_s trunks profiles numbers domains)" },
	{ "workers:\n  count: 1\n  cuont: 2\n", "7: workers.cuont: unknown key (known here: count cores idle)" },
	{ "workers: {count: 2x}\n", "5: workers.count: expected a whole number, not '2x'" },
	{ "workers: {count: 1.5}\n", "5: workers.count: expected a whole number, not '1.5'" },
	{ "workers: {count: 010}\n", "5: workers.count: expected a whole number, not '010'" },
	{ "workers: {count: [1]}\n", "5: workers.count: expected a whole number" },
	{ "workers: {cores: 3}\n", "5: workers.cores: expected a list" },
	{ "workers: 3\n", "5: workers: expected keys and values" },
	{ "workers: {count: 1}\nworkers: {count: 2}\n", "6: workers: given twice" },
	{ "profiles:\n  - name: x\n    retry_after_progress: on\n",
	  "7: profiles[0].retry_after_progress: expected true or false, not 'on'" },
	{ "trunks:\n  - {profile: x}\n", "6: trunks[0]: name is missing" },
	{ "workers: {count: 1\n", "6: did not find expected ',' or '}' while parsing a flow mapping" },
	/* ranges and words */
	{ "node: {id: 65536}\n", "5: node.id: 65536 is not in 1..65535" },
	{ "node:\n  id: 0\n", "6: node.id: 0 is not in 1..65535" },
	{ "node: {name: 'a b'}\n",
	  "5: node.name: 'a b' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)" },
	{ "region: 'a b'\n", "5: region: 'a b' is not a name (as of targets and trunks)" },
	{ "profiles:\n  - {name: x, retry_budget: 101}\n", "6: profiles[0].retry_budget: 101 is not in 0..100" },
	{ "profiles:\n  - {name: x, regions: [a, b, A]}\n", "6: profiles[0].regions[2]: A is listed twice" },
	{ "profiles:\n  - {name: x, regions: ['']}\n",
	  "6: profiles[0].regions[0]: '' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)" },
	{ "profiles:\n  - {name: x, targets: [{trunk: a, max_calls: -1}]}\n",
	  "6: profiles[0].targets[0].max_calls: -1 is not in 0..1000000" },
	{ "profiles:\n  - {name: x, targets: [{trunk: a, max_cps: 100001}]}\n",
	  "6: profiles[0].targets[0].max_cps: 100001 is not in 0..100000" },
	{ "profiles:\n  - {name: x, targets: [{trunk: a, region: '*'}]}\n",
	  "6: profiles[0].targets[0].region: '*' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)" },
	{ "workers: {count: 0}\n", "5: workers.count: 0 is not in 1..64" },
	{ "workers: {count: -1}\n", "5: workers.count: -1 is not in 1..64" },
	{ "workers: {cores: [1, 1]}\n", "5: workers.cores[1]: core 1 is listed twice" },
	{ "workers: {idle: nap}\n", "5: workers.idle: 'nap' is none of spin, sleep" },
	{ "limits: {calls: 1}\n", "5: limits.calls: 1 is not in 64..16777215" },
	{ "timers: {t1_ms: 5}\n", "5: timers.t1_ms: 5 is not in 10..10000" },
	{ "ejection: {numbers: 0}\n", "5: ejection.numbers: 0 is not in 1..32" },
	{ "quality: {calls: 9}\n", "5: quality.calls: 9 is not in 10..1000000" },
	{ "ejection: {after: 101}\n", "5: ejection.after: 101 is not in 0..100" },
	{ "ejection: {first_s: 20, max_s: 10}\n", "5: ejection.max_s: less than first_s (10 < 20)" },
	{ "ejection: {share: 3}\n", "5: ejection.share: unknown key (known here: after after_failures numbers window_s window_percent window_calls first_s max_s share_percent ramp_s last_resort)" },
	{ "timers: {t1_ms: 500, t2_ms: 400}\n", "5: timers.t2_ms: less than t1_ms (400 < 500)" },
	{ "access: {unknown_source: drop}\n", "5: access.unknown_source: 'drop' is none of reject, silent" },
	{ "number_plan: {country_code: '+44'}\n", "5: number_plan.country_code: '+44' has other characters than digits" },
	{ "number_plan: {national_prefix: '0'}\n", "5: number_plan.national_prefix: needs a country_code" },
	{ "resolver: {servers: [ns.example]}\n", "5: resolver.servers[0]: 'ns.example' is not an address or ADDRESS:PORT" },
	{ "resolver: {servers: [192.0.2.53, '192.0.2.53:0']}\n", "5: resolver.servers[1]: '192.0.2.53:0' is not an address or ADDRESS:PORT" },
	{ "resolver: {servers: [1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, "
	  "1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1]}\n", "5: resolver.servers: more than 16" },
	{ "resolver: {timeout_ms: 49}\n", "5: resolver.timeout_ms: 49 is not in 50..30000" },
	{ "resolver: {tries: 0}\n", "5: resolver.tries: 0 is not in 1..10" },
	{ "resolver: {min_ttl_s: 20, max_ttl_s: 10}\n", "5: resolver.max_ttl_s: less than min_ttl_s (10 < 20)" },
	{ "resolver: {ttl: 5}\n", "5: resolver.ttl: unknown key (known here: servers timeout_ms tries min_ttl_s max_ttl_s)" },
	{ "probe: {interval_ms: 99}\n", "5: probe.interval_ms: 99 is not in 100..3600000" },
	{ "probe: {timeout_ms: 0}\n", "5: probe.timeout_ms: 0 is not in 50..32000" },
	{ "probe: {down_after: 0}\n", "5: probe.down_after: 0 is not in 1..100" },
	{ "probe: {up_after: 101}\n", "5: probe.up_after: 101 is not in 1..100" },
	{ "probe: {accept: [200, 180]}\n", "5: probe.accept[1]: 180 is not in 200..699" },
	{ "probe: {accept: [200, 200]}\n", "5: probe.accept[1]: 200 is listed twice" },
	{ "probe: {accept: 200}\n", "5: probe.accept: expected a list" },
	{ "probe: {interval: 5}\n",
	  "5: probe.interval: unknown key (known here: enabled interval_ms timeout_ms down_after up_after accept from to user_agent max_forwards)" },
	{ "probe: {accept: [200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216]}\n",
	  "5: probe.accept: more than 16" },
	{ "probe: {from: 'tel:+1'}\n", "5: probe.from: 'tel:+1' is not a SIP URI (sip:probe@example.com)" },
	{ "probe: {to: 'sip:a b'}\n", "5: probe.to: 'sip:a b' is not a SIP URI (sip:probe@example.com)" },
	{ "probe: {from: ''}\n", "5: probe.from: '' is not a SIP URI (sip:probe@example.com)" },
	{ "probe: {max_forwards: 256}\n", "5: probe.max_forwards: 256 is not in 0..255" },
	{ "probe: {user_agent: \"a\\r\\nVia: x\"}\n", "5: probe.user_agent: has other characters than printable ASCII" },
	{ "profiles:\n  - {name: p, probe: {interval_ms: 10}}\n", "6: profiles[0].probe.interval_ms: 10 is not in 100..3600000" },
	{ "trunks: [{name: a}]\nprofiles:\n  - name: p\n    targets:\n      - {trunk: a, probe: {timeout_ms: 9}}\n",
	  "9: profiles[0].targets[0].probe.timeout_ms: 9 is not in 50..32000" },
	{ "trunks:\n  - {name: a, probe: {interval_ms: 10}}\n", "6: trunks[0].probe.interval_ms: 10 is not in 100..3600000" },
	{ "state_file: routing.json\n", "5: state_file: 'routing.json' is not an absolute path" },
	{ "limits: {connections_per_source: -1}\n", "5: limits.connections_per_source: -1 is not in 0..4000000" },
	{ "tcp: {message_timeout_s: 3601}\n", "5: tcp.message_timeout_s: 3601 is not in 0..3600" },
	{ "limits: {call_age_s: 4000001}\n", "5: limits.call_age_s: 4000001 is not in 1..4000000" },
	{ "limits: {trace_mb: -1}\n", "5: limits.trace_mb: -1 is not in 0..4096" },
	{ "names: [a.example, 'a b']\n", "5: names[1]: 'a b' is not a host name" },
	{ "names: [.a]\n", "5: names[0]: '.a' is not a host name" },
	{ "names: [a..b]\n", "5: names[0]: 'a..b' is not a host name" },
	{ "names: ['']\n", "5: names[0]: '' is not a host name" },
	{ "names: [a, A.]\n", "5: names[1]: a is listed twice" },
	{ "alarms: {busy_percent: 101}\n", "5: alarms.busy_percent: 101 is not in 0..100" },
	{ "alarms: {busy_s: 0}\n", "5: alarms.busy_s: 0 is not in 1..3600" },
	{ "versions: {keep: 1}\n", "5: versions.keep: 1 is not in 2..10000000" },
	{ "versions: {mb: 0}\n", "5: versions.mb: 0 is not in 1..4096" },
	{ "cdr: {keep: 3}\n", "5: cdr: file is missing" },
	{ "cdr: {file: cdr.jsonl}\n", "5: cdr.file: 'cdr.jsonl' is not an absolute path" },
	{ "cdr: {file: /var/log/}\n", "5: cdr.file: '/var/log/' cannot be a file of records" },
	{ "cdr: {file: /x/.records}\n", "5: cdr.file: '/x/.records' cannot be a file of records" },
	{ "cdr: {file: /x/y, keep: 0}\n", "5: cdr.keep: 0 is not in 1..100" },
	{ "cdr: {file: /x/y, rotate_mb: -1}\n", "5: cdr.rotate_mb: -1 is not in 0..1048576" },
	{ "profiles:\n  - {name: p, decline_scope: none}\n", "6: profiles[0].decline_scope: 'none' is none of all, target" },
	{ "profiles:\n  - {name: p, follow_redirects: 1}\n", "6: profiles[0].follow_redirects: expected true or false, not '1'" },
	{ "drain_timeout_s: -1\n", "5: drain_timeout_s: -1 is not in 0..86400" },
	{ "control: {socket: here}\n", "5: control.socket: 'here' is not an absolute path" },
	/* routing */
	{ "trunks:\n  - name: a\n    endpoints:\n      - {address: host.example}\n",
	  "8: trunks[0].endpoints[0].address: 'host.example' is not an IP address" },
	{ "trunks:\n  - name: a\n    endpoints: [{address: 10.0.0.1, transport: tls}]\n",
	  "7: trunks[0].endpoints: 10.0.0.1:5061 of trunk a: there is no listener for tls over IPv4 to reach it from" },
	{ "trunks:\n  - name: a\n    endpoints: [{address: 10.0.0.1, transport: tcp}]\n",
	  "7: trunks[0].endpoints: 10.0.0.1:5060 of trunk a: there is no listener for tcp over IPv4 to reach it from" },
	{ "trunks:\n  - name: a\n    endpoints: [{address: '2001:db8::1'}]\n",
	  "7: trunks[0].endpoints: [2001:db8::1]:5060 of trunk a: there is no listener for udp over IPv6 to reach it from" },
	{ "trunks:\n  - name: a\n    endpoints: [{host: sip.example, transport: tls}]\n",
	  "7: trunks[0].endpoints: sip.example of trunk a: there is no listener for tls to reach it from" },
	{ "trunks:\n  - name: a\n    endpoints: [{address: 10.0.0.1, transport: sctp}]\n",
	  "7: trunks[0].endpoints[0].transport: 'sctp' is none of udp, tcp, tls" },
	{ "trunks:\n  - name: a\n    tls: {name: 'a b'}\n", "7: trunks[0].tls.name: 'a b' is not a host name" },
	{ "trunks:\n  - name: a\n    tls: {ca: ca.pem}\n", "7: trunks[0].tls.ca: 'ca.pem' is not an absolute path" },
	{ "trunks:\n  - {name: a, large_requests: sctp}\n", "6: trunks[0].large_requests: 'sctp' is none of auto, tcp, udp" },
	{ "trunks:\n  - name: a\n    tls: {minimum_version: '1.1'}\n", "7: trunks[0].tls.minimum_version: '1.1' is none of 1.2, 1.3" },
	{ "trunks:\n  - name: a\n    tls: {certificate: a/b}\n",
	  "7: trunks[0].tls.certificate: 'a/b' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)" },
	{ "trunks:\n  - name: a\n    endpoints: [{address: 10.0.0.1}, {address: 10.0.0.1, port: 5060}]\n",
	  "7: trunks[0].endpoints[1].address: 10.0.0.1:5060 is listed twice" },
	{ "trunks:\n  - {name: a, sources: [10.0.0.1/24]}\n",
	  "6: trunks[0].sources[0]: '10.0.0.1/24' is not an address block (10.0.0.0/24, with no bit set beyond the length)" },
	{ "trunks:\n  - {name: a, sources: [10.0.0.0/24]}\n  - {name: b, sources: [10.1.0.0/24, 10.0.0.0/24]}\n",
	  "7: trunks[1].sources[1]: 10.0.0.0/24 already belongs to trunk a" },
	{ "trunks:\n  - {name: a}\n  - {name: A}\n", "7: trunks[1].name: there are two trunks named A" },
	{ "trunks:\n  - {name: a, profile: none}\n", "6: trunks[0].profile: no profile named none" },
	{ "trunks:\n  - {name: a/b}\n",
	  "6: trunks[0].name: 'a/b' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)" },
	{ "profiles:\n  - name: p\n    targets:\n      - {trunk: x}\n", "8: profiles[0].targets[0].trunk: no trunk named x" },
	{ "trunks: [{name: a}]\nprofiles:\n  - name: p\n    targets: [{trunk: a}, {trunk: a}]\n",
	  "8: profiles[0].targets[1].trunk: a is listed twice" },
	{ "profiles:\n  - {name: p, strategy: random}\n",
	  "6: profiles[0].strategy: 'random' is none of failover, round_robin, weighted_lb, simultaneous_ring, least_calls, fastest" },
	{ "profiles:\n  - {name: p, ring_timeout_s: 181}\n", "6: profiles[0].ring_timeout_s: 181 is not in 0..180" },
	{ "profiles:\n  - {name: p, max_attempts: 17}\n", "6: profiles[0].max_attempts: 17 is not in 1..16" },
	{ "profiles:\n  - {name: p, retry_codes: {add: [200]}}\n", "6: profiles[0].retry_codes.add[0]: 200 is not in 400..699" },
	{ "profiles:\n  - {name: p, retry_codes: {add: [480, 407]}}\n", "6: profiles[0].retry_codes.add[1]: 407 is always final" },
	{ "profiles:\n  - {name: p}\n  - {name: p}\n", "7: profiles[1].name: there are two profiles named p" },
	{ "profiles: [{name: p}]\nnumbers:\n  - {profile: p}\n", "7: numbers[0]: needs either number or prefix" },
	{ "profiles: [{name: p}]\nnumbers:\n  - {number: 44x, profile: p}\n",
	  "7: numbers[0].number: '44x' is not an E.164 number (+, up to 15 digits)" },
	{ "profiles: [{name: p}]\nnumbers:\n  - {number: '+1', profile: p}\n  - {number: '1', profile: p}\n",
	  "8: numbers[1].number: 1 is listed twice" },
	{ "numbers:\n  - {number: '+1', profile: p}\n", "6: numbers[0].profile: no profile named p" },
	{ "domains:\n  - {domain: a.example, profile: p}\n", "6: domains[0].profile: no profile named p" },
	{ "profiles: [{name: p}]\ndomains:\n  - {domain: a b, profile: p}\n", "7: domains[0].domain: 'a b' is not a host name" },
	{ "profiles: [{name: p}]\ndomains:\n  - {domain: a, profile: p}\n  - {domain: A., profile: p}\n", "7: domains: a is listed twice" },
	{ "tls: {certificates: certs}\n", "5: tls.certificates: 'certs' is not an absolute path" },
	{ "tls: {minimum_version: '1.1'}\n", "5: tls.minimum_version: '1.1' is none of 1.2, 1.3" },
	{ "tls: {client_certificates: maybe}\n", "5: tls.client_certificates: 'maybe' is none of ignored, requested, required" },
	{ "tls: {client_certificates: required}\n", "5: tls.client_ca: needed, since client_certificates are required" },
	{ "tls:\n  servers:\n    - {name: a}\n    - {name: a}\n", "8: tls.servers[1].name: there are two servers named a" },
	{ "tls:\n  servers:\n    - {name: default}\n", "7: tls.servers[0].name: there are two servers named default" },
	{ "tls:\n  servers:\n    - {name: a, client_certificates: requested}\n", "7: tls.servers[0].client_ca: needed, since client_certificates are requested" },
	{ "tls:\n  handshake_budget_us: 10\n", "6: tls.handshake_budget_us: 10 is not in 50..100000" },
	{ "tls:\n  ticket_keep: 8\n", "6: tls.ticket_keep: 8 is not in 1..7" },
	{ "tls: {warning_days: 5}\n", "5: tls.warning_days: the days must fall, warning 5, major 7, critical 1" },
	{ "limits: {trunks: 1}\ntrunks: [{name: a}, {name: b}]\n", "6: trunks: 2 trunks, but limits.trunks is 1" },
	{ "limits: {numbers: 1}\nprofiles: [{name: p}]\nnumbers: [{number: '1', profile: p}, {number: '2', profile: p}]\n",
	  "7: numbers: 2 numbers, but limits.numbers is 1" },
};

static void refusals(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX], text[2048];
		struct config *c;

		snprintf(text, sizeof(text), "%s%s", head, bad[i].text);
		snprintf(want, sizeof(want), "%s:%s", path, bad[i].error);
		c = load(text, error);
		if (c || strcmp(error, want) != 0)
			fail_msg("case %u:\n%s got  %s\n want %s", i, bad[i].text, c ? "accepted" : error, want);
	}
}

static const struct {
	const char *text, *error;
} bad_heads[] = {
	{ "", ": ports: at least one is needed" },
	{ "- 1\n", ":1: expected keys and values" },
	{ "ports: [{name: sip0, driver: af_xdp, interface: p}]\n", ":1: listeners: at least one is needed" },
	{ "ports: [{name: sip0, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1, transport: tls}\n",
	  ":1: tls.certificates: needed, since listeners[0] speaks TLS" },
	{ "ports: [{name: sip0, driver: af_xdp, interface: p}]\ntls: {certificates: /c}\nlisteners:\n  - {address: 10.0.0.1, server: default}\n",
	  ":4: listeners[0].server: the listener's transport is udp, not tls" },
	{ "ports: [{name: sip0, driver: af_xdp, interface: p}]\ntls: {certificates: /c}\nlisteners:\n  - {address: 10.0.0.1, transport: tls, server: x}\n",
	  ":4: listeners[0].server: no server named x in tls.servers" },
	{ "ports: [{name: sip0, driver: af_xdp}]\n", ":1: ports[0]: needs driver and interface, or device" },
	{ "ports:\n  - {name: sip0, device: x, driver: af_xdp}\n",
	  ":2: ports[0].device: stands instead of driver and interface, not beside them" },
	{ "ports:\n  - {name: sip0, driver: dpdk, interface: p}\n", ":2: ports[0].driver: 'dpdk' is none of af_packet, af_xdp" },
	{ "ports:\n  - {name: sip0, driver: af_xdp, interface: 'a,b'}\n", ":2: ports[0].interface: 'a,b' is not an interface name" },
	{ "ports:\n  - {name: averylonginterface, driver: af_xdp, interface: p}\n",
	  ":2: ports[0].name: 'averylonginterface' is not an interface name (at most 15 characters)" },
	{ "ports:\n  - {name: p, driver: af_xdp, interface: p}\n",
	  ":2: ports[0].name: p is the interface underneath; the kernel interface needs a name of its own" },
	{ "ports:\n  - {name: s, driver: af_xdp, interface: p}\n  - {name: s, driver: af_xdp, interface: q}\n",
	  ":3: ports[1].name: ports[0] has it already" },
	{ "ports:\n  - {name: s, driver: af_xdp, interface: p, mtu: 100}\n", ":2: ports[0].mtu: 100 is not in 1280..9000" },
	{ "ports:\n  - {name: s, driver: af_xdp, interface: p, vlan: 0}\n", ":2: ports[0].vlan: 0 is not in 1..4094" },
	{ "ports:\n  - {name: s, driver: af_xdp, interface: p, addresses: [10.0.0.1]}\n",
	  ":2: ports[0].addresses[0]: '10.0.0.1' is not ADDRESS/LENGTH" },
	{ "ports:\n  - {name: s, driver: af_xdp, interface: p, gateways: [10.0.0.1/24]}\n",
	  ":2: ports[0].gateways[0]: '10.0.0.1/24' is not an IP address" },
	{ "workers: {count: 17}\nports:\n  - {name: s, driver: af_xdp, interface: p}\n",
	  ":3: ports[0].driver: af_xdp serves at most 16 workers" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: a}\n", ":3: listeners[0].address: 'a' is not an IP address" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1, port: 0}\n",
	  ":3: listeners[0].port: 0 is not in 1..65535" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1, transport: sctp}\n",
	  ":3: listeners[0].transport: 'sctp' is none of udp, tcp, tls" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1}\n  - {address: 10.0.0.1, port: 5060}\n",
	  ":4: listeners[1]: the same address, port and transport as listeners[0]" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1}\ntcp:\n  port_low: 40000\n  port_high: 40100\n",
	  ":6: tcp.port_high: less than 255 above port_low (40000 to 40100)" },
	{ "ports: [{name: s, driver: af_xdp, interface: p}]\nlisteners:\n  - {address: 10.0.0.1, transport: tcp}\ntcp: {port_low: 5000}\n",
	  ":3: listeners[0].port: 5060 is among tcp.port_low to port_high, which connections of ours begin at" },
};

static void refused_heads(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad_heads); i++) {
		char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX];
		struct config *c = load(bad_heads[i].text, error);

		snprintf(want, sizeof(want), "%s%s", path, bad_heads[i].error);
		if (c || strcmp(error, want) != 0)
			fail_msg("case %u:\n%s got  %s\n want %s", i, bad_heads[i].text, c ? "accepted" : error, want);
	}
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
		cmocka_unit_test(stale), cmocka_unit_test(defaults),	cmocka_unit_test(everything), cmocka_unit_test(refusals),	cmocka_unit_test(refused_heads),
		cmocka_unit_test(missing_file), cmocka_unit_test(shipped),    cmocka_unit_test(routing_again),
	};
	int failed;

	make_directory(directory);
	snprintf(path, sizeof(path), "%s/strowger.yaml", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	return failed;
}
