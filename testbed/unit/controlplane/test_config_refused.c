/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are refused: the line, the key, and what is wrong with it. */
#include "config_fixture.h"

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
	{ "limits: {transactions: 33554432}\n", "5: limits.transactions: 33554432 is not in 64..33554431" },
	{ "limits: {in_progress: 63}\n", "5: limits.in_progress: 63 is not in 64..33554431" },
	{ "limits: {transactions: 64, in_progress: 65}\n", "5: limits.in_progress: more than transactions (65 > 64)" },
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
	{ "limits: {trace_s: 3601}\n", "5: limits.trace_s: 3601 is not in 0..3600" },
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refusals), cmocka_unit_test(refused_heads) };

	return cmocka_run_group_tests(tests, config_folder_new, config_folder_free);
}
