/* SPDX-License-Identifier: Apache-2.0 */
/* Zone data -> places, in order. */
#include "dns_fixture.h"

#include "resolve/rfc3263.h"
#include "sip/via.h"

#define BOTH (UDP4 | UDP6)
#define ANY  TRANSPORT_UNSAID
#define UDP4 LISTENS(TRANSPORT_UDP, IP_V4)
#define UDP6 LISTENS(TRANSPORT_UDP, IP_V6)
#define TCP4 (UDP4 | LISTENS(TRANSPORT_TCP, IP_V4))
#define TLS4 (TCP4 | LISTENS(TRANSPORT_TLS, IP_V4))

static const struct {
	const char *what;
	const char *zone; /* lines "NAME TYPE DATA"; FAIL as data: no server answers; CUT: only the CNAME, and no SOA */
	const char *name;
	uint16_t port;
	uint8_t transport;
	unsigned families;
	const char *want;  /* "PRIORITY/WEIGHT ADDRESS:PORT, " each; or "none: why", "failed: why" */
	const char *asked; /* what was asked, in this order */
} cases[] = {
	{ "an address asks nothing", "", "192.0.2.9", 0, ANY, BOTH, "0/100 192.0.2.9:5060, ", "" },
	{ "an address with a port", "", "192.0.2.9", 5070, ANY, BOTH, "0/100 192.0.2.9:5070, ", "" },
	{ "a port: no SRV", "x A 192.0.2.1\n_sip._udp.x SRV 1 1 5070 x\n", "x", 5080, ANY, BOTH, "0/100 192.0.2.1:5080, ", "x/A x/AAAA " },
	{ "a transport: no NAPTR", "x A 192.0.2.1\nx NAPTR 1 1 s SIP+D2U . _sip._udp.y\n_sip._udp.x SRV 3 4 5070 x\n", "x", 0, TRANSPORT_UDP,
	  UDP4, "3/4 192.0.2.1:5070, ", "_sip._udp.x/SRV x/A " },
	{ "a transport without SRV", "x A 192.0.2.1\n", "x", 0, TRANSPORT_UDP, UDP4, "0/100 192.0.2.1:5060, ", "_sip._udp.x/SRV x/A " },
	{ "nothing but addresses", "x A 192.0.2.1\nx AAAA 2001:db8::1\n", "x", 0, ANY, BOTH, "0/50 192.0.2.1:5060, 0/50 [2001:db8::1]:5060, ",
	  "x/NAPTR _sip._udp.x/SRV x/A x/AAAA " },
	{ "only families of ours", "x A 192.0.2.1\nx AAAA 2001:db8::1\n", "x", 5060, ANY, UDP6, "0/100 [2001:db8::1]:5060, ", "x/AAAA " },
	{ "none of our family", "x A 192.0.2.1\n", "x", 5060, ANY, UDP6, "none: A and AAAA x: no address", NULL },
	{ "TCP, said", "_sip._tcp.x SRV 3 4 5070 x\n_sip._udp.x SRV 3 4 5080 x\nx A 192.0.2.1\n", "x", 0, TRANSPORT_TCP, TCP4, "3/4 192.0.2.1:5070 tcp, ",
	  "_sip._tcp.x/SRV x/A " },
	{ "TCP, said, without SRV", "x A 192.0.2.1\n", "x", 0, TRANSPORT_TCP, TCP4, "0/100 192.0.2.1:5060 tcp, ", "_sip._tcp.x/SRV x/A " },
	{ "TCP, said, with a port", "x A 192.0.2.1\n", "x", 5070, TRANSPORT_TCP, TCP4, "0/100 192.0.2.1:5070 tcp, ", "x/A " },
	{ "NAPTR prefers TCP, and we carry it",
	  "x NAPTR 90 50 s SIP+D2T . _sip._tcp.x\nx NAPTR 100 50 s SIP+D2U . _sip._udp.x\n_sip._tcp.x SRV 0 1 5060 s\n_sip._udp.x SRV 0 2 5060 s\n"
	  "s A 192.0.2.1\n",
	  "x", 0, ANY, TCP4, "0/1 192.0.2.1:5060 tcp, ", "x/NAPTR _sip._tcp.x/SRV s/A " },
	{ "NAPTR offers TCP and TLS, we carry TCP", "x NAPTR 1 1 s SIP+D2T . a.x\nx NAPTR 1 1 s SIPS+D2T . b.x\na.x SRV 1 1 5060 s\ns A 192.0.2.1\n", "x", 0,
	  ANY, TCP4, "1/1 192.0.2.1:5060 tcp, ", NULL },
	{ "NAPTR offers TLS only", "x NAPTR 1 1 s SIPS+D2T . b.x\nx A 192.0.2.1\n", "x", 0, ANY, TCP4, "none: the NAPTR records of x: they offer only transports", NULL },
	{ "NAPTR offers TCP and TLS, and prefers TLS, which we carry",
	  "x NAPTR 1 1 s SIPS+D2T . b.x\nx NAPTR 2 1 s SIP+D2T . a.x\na.x SRV 1 1 5060 s\nb.x SRV 2 2 5061 s\ns A 192.0.2.1\n", "x", 0, ANY, TLS4,
	  "2/2 192.0.2.1:5061 tls, ", "x/NAPTR b.x/SRV s/A " },
	{ "TLS, said: NAPTR and the SRV of others are not asked",
	  "x NAPTR 1 1 s SIP+D2U . _sip._udp.x\n_sips._tcp.x SRV 3 4 5071 s\n_sip._udp.x SRV 1 1 5060 s\ns A 192.0.2.1\n", "x", 0, TRANSPORT_TLS, TLS4,
	  "3/4 192.0.2.1:5071 tls, ", "_sips._tcp.x/SRV s/A " },
	{ "TLS, said, without SRV: its port", "_sip._tcp.x SRV 1 1 5060 x\nx A 192.0.2.1\n", "x", 0, TRANSPORT_TLS, TLS4, "0/100 192.0.2.1:5061 tls, ",
	  "_sips._tcp.x/SRV x/A " },
	{ "TLS, said, with a port", "x A 192.0.2.1\n", "x", 5071, TRANSPORT_TLS, TLS4, "0/100 192.0.2.1:5071 tls, ", "x/A " },
	{ "TLS, said, of an address", "", "192.0.2.9", 0, TRANSPORT_TLS, TLS4, "0/100 192.0.2.9:5061 tls, ", "" },
	{ "TLS, said, not offered: never by another transport", "_sips._tcp.x SRV 0 0 0 .\n_sip._udp.x SRV 1 1 5060 x\nx A 192.0.2.1\n", "x", 0,
	  TRANSPORT_TLS, TLS4, "none: the SRV record of x: its target is \".\"", "_sips._tcp.x/SRV " },
	{ "SRV of TLS alone", "_sips._tcp.x SRV 1 1 5061 s\ns A 192.0.2.1\n", "x", 0, ANY, TLS4, "1/1 192.0.2.1:5061 tls, ",
	  "x/NAPTR _sip._udp.x/SRV _sip._tcp.x/SRV _sips._tcp.x/SRV s/A " },
	{ "SRV of TLS is not asked where no listener speaks it", "_sips._tcp.x SRV 1 1 5061 s\ns A 192.0.2.1\nx A 192.0.2.2\n", "x", 0, ANY, TCP4,
	  "0/100 192.0.2.2:5060, ", "x/NAPTR _sip._udp.x/SRV _sip._tcp.x/SRV x/A " },
	{ "only TLS is spoken", "x A 192.0.2.1\n_sip._udp.x SRV 1 1 5060 x\n", "x", 0, ANY, LISTENS(TRANSPORT_TLS, IP_V4), "0/100 192.0.2.1:5061 tls, ",
	  "x/NAPTR _sips._tcp.x/SRV x/A " },
	{ "of each transport the families of its listeners", "x A 192.0.2.1\nx AAAA 2001:db8::1\n", "x", 0, TRANSPORT_TLS,
	  BOTH | LISTENS(TRANSPORT_TLS, IP_V6), "0/100 [2001:db8::1]:5061 tls, ", "_sips._tcp.x/SRV x/AAAA " },
	{ "SRV of TCP alone", "_sip._tcp.x SRV 1 1 5060 s\ns A 192.0.2.1\n", "x", 0, ANY, TCP4, "1/1 192.0.2.1:5060 tcp, ",
	  "x/NAPTR _sip._udp.x/SRV _sip._tcp.x/SRV s/A " },
	{ "SRV of both: UDP first", "_sip._tcp.x SRV 1 1 5060 s\n_sip._udp.x SRV 1 1 5060 s\ns A 192.0.2.1\n", "x", 0, ANY, TCP4, "1/1 192.0.2.1:5060, ",
	  "x/NAPTR _sip._udp.x/SRV s/A " },
	{ "SRV of neither: UDP", "x A 192.0.2.1\n", "x", 0, ANY, TCP4, "0/100 192.0.2.1:5060, ", "x/NAPTR _sip._udp.x/SRV _sip._tcp.x/SRV x/A " },
	{ "no such name", "", "x", 0, ANY, BOTH, "none: A and AAAA x: no address", NULL },
	{ "NAPTR leads to SRV leads to A",
	  "x NAPTR 50 50 s SIPS+D2T . _sips._tcp.x\nx NAPTR 90 50 s SIP+D2T . _sip._tcp.x\nx NAPTR 100 50 s SIP+D2U . _sip._udp.x\n"
	  "_sip._udp.x SRV 0 1 5060 s1.x\n_sip._udp.x SRV 0 2 5060 s2.x\ns1.x A 192.0.2.1\ns2.x A 192.0.2.2\n",
	  "x", 0, ANY, UDP4, "0/1 192.0.2.1:5060, 0/2 192.0.2.2:5060, ", "x/NAPTR _sip._udp.x/SRV s1.x/A s2.x/A " },
	{ "NAPTR by order, then preference",
	  "x NAPTR 20 1 s SIP+D2U . c.x\nx NAPTR 10 9 s SIP+D2U . b.x\nx NAPTR 10 2 s SIP+D2U . a.x\na.x SRV 1 1 1 t\nb.x SRV 2 2 2 t\n"
	  "c.x SRV 3 3 3 t\nt A 192.0.2.1\n",
	  "x", 0, ANY, UDP4, "1/1 192.0.2.1:1, ", "x/NAPTR a.x/SRV t/A " },
	{ "NAPTR whose SRV is not there: the next", "x NAPTR 1 1 s SIP+D2U . a.x\nx NAPTR 2 1 s SIP+D2U . b.x\nb.x SRV 2 2 2 t\nt A 192.0.2.1\n", "x", 0,
	  ANY, UDP4, "2/2 192.0.2.1:2, ", NULL },
	{ "NAPTR that leads nowhere", "x NAPTR 1 1 s SIP+D2U . a.x\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "none: the NAPTR records of x: they lead to no SRV record", NULL },
	{ "NAPTR offers TCP and TLS only", "x NAPTR 1 1 s SIP+D2T . a.x\nx NAPTR 1 1 s SIPS+D2T . b.x\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "none: the NAPTR records of x: they offer only transports", "x/NAPTR " },
	{ "NAPTR of other services says nothing about SIP", "x NAPTR 1 1 u E2U+SIP . a.x\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "0/100 192.0.2.1:5060, ", "x/NAPTR _sip._udp.x/SRV x/A " },
	{ "NAPTR with a regular expression is not for us", "x NAPTR 1 1 s SIP+D2U !x! a.x\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "0/100 192.0.2.1:5060, ", NULL },
	{ "NAPTR that leads elsewhere than to SRV is not for us", "x NAPTR 1 1 a SIP+D2U . a.x\na.x SRV 9 9 9 x\nx A 192.0.2.1\n", "x", 0, ANY,
	  UDP4, "0/100 192.0.2.1:5060, ", "x/NAPTR _sip._udp.x/SRV x/A " },
	{ "NAPTR fails: SRV", "x NAPTR FAIL\n_sip._udp.x SRV 1 1 5060 t\nt A 192.0.2.1\n", "x", 0, ANY, UDP4, "1/1 192.0.2.1:5060, ", NULL },
	{ "SRV fails: not A, which may be a web server", "_sip._udp.x SRV FAIL\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "failed: SRV _sip._udp.x: gone", "x/NAPTR _sip._udp.x/SRV " },
	{ "one target fails: the others", "_sip._udp.x SRV 1 1 5060 a\n_sip._udp.x SRV 2 1 5060 b\na A FAIL\nb A 192.0.2.2\n", "x", 0, ANY,
	  UDP4, "2/1 192.0.2.2:5060, ", NULL },
	{ "not offered", "_sip._udp.x SRV 0 0 0 .\nx A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "none: the SRV record of x: its target is \".\"", "x/NAPTR _sip._udp.x/SRV " },
	{ "\".\" beside another", "_sip._udp.x SRV 0 0 0 .\n_sip._udp.x SRV 1 1 5061 t\nt A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "1/1 192.0.2.1:5061, ", NULL },
	{ "by priority, then address, however they come",
	  "_sip._udp.x SRV 20 5 5060 c\n_sip._udp.x SRV 10 0 5060 b\n_sip._udp.x SRV 10 7 5060 a\na A 192.0.2.3\nb A 192.0.2.2\nc A 192.0.2.1\n", "x", 0,
	  ANY, UDP4, "10/0 192.0.2.2:5060, 10/7 192.0.2.3:5060, 20/5 192.0.2.1:5060, ", NULL },
	{ "a large weight is divided among the addresses of a target",
	  "_sip._udp.x SRV 1 100 5060 a\n_sip._udp.x SRV 1 40 5060 b\na A 192.0.2.1\na A 192.0.2.2\nb A 192.0.2.3\n", "x", 0, ANY, UDP4,
	  "1/50 192.0.2.1:5060, 1/50 192.0.2.2:5060, 1/40 192.0.2.3:5060, ", NULL },
	{ "small ones are scaled first, so that a target with two addresses has no more of the calls",
	  "_sip._udp.x SRV 1 1 5060 a\n_sip._udp.x SRV 1 1 5060 b\na A 192.0.2.1\na AAAA 2001:db8::1\nb A 192.0.2.3\n", "x", 0, ANY, BOTH,
	  "1/1 192.0.2.1:5060, 1/2 192.0.2.3:5060, 1/1 [2001:db8::1]:5060, ", NULL },
	{ "the largest weight is not exceeded",
	  "_sip._udp.x SRV 1 65535 5060 a\n_sip._udp.x SRV 1 1 5060 b\na A 192.0.2.1\nb A 192.0.2.2\nb A 192.0.2.3\n", "x", 0, ANY, UDP4,
	  "1/65535 192.0.2.1:5060, 1/1 192.0.2.2:5060, 1/1 192.0.2.3:5060, ", NULL },
	{ "two records, one place",
	  "_sip._udp.x SRV 2 5 5060 a\n_sip._udp.x SRV 2 6 5060 b\n_sip._udp.x SRV 9 1 5060 c\na A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n", "x", 0, ANY,
	  UDP4, "2/11 192.0.2.1:5060, ", NULL },
	{ "CNAMEs that the server walked", "x CNAME y\ny CNAME z\nz A 192.0.2.1\n", "x", 5060, ANY, UDP4, "0/100 192.0.2.1:5060, ", "x/A " },
	{ "a CNAME that leads out of its zone", "x CNAME y CUT\ny A 192.0.2.1\n", "x", 5060, ANY, UDP4, "0/100 192.0.2.1:5060, ", "x/A y/A " },
	{ "SRV at the end of a CNAME", "_sip._udp.x CNAME _sip._udp.y CUT\n_sip._udp.y SRV 1 2 5070 t\nt A 192.0.2.1\n", "x", 0, ANY, UDP4,
	  "1/2 192.0.2.1:5070, ", "x/NAPTR _sip._udp.x/SRV _sip._udp.y/SRV t/A " },
	{ "CNAMEs in a circle", "x CNAME y CUT\ny CNAME x CUT\n", "x", 5060, ANY, UDP4, "failed: A", NULL },
	{ "SRV targets without addresses", "_sip._udp.x SRV 1 1 1 t\nx A 192.0.2.1\n", "x", 0, ANY, UDP4, "none: the SRV records of x: no target", NULL },
};

static char asked[8192];

/* Lines of one name and type. */
static unsigned put_records(struct packet *m, const char *zone, const char *name, uint16_t type)
{
	char line_name[64], line_type[16], data[128];
	unsigned n = 0;

	for (const char *p = zone; *p; p = strchr(p, '\n') + 1) {
		unsigned a, b, c;
		char x[64], y[64], z[64], w[64];

		assert_int_equal(sscanf(p, "%63s %15s %127[^\n]", line_name, line_type, data), 3);
		if (strcmp(line_name, name) != 0 || strcmp(line_type, dns_type_name(type)) != 0)
			continue;
		n++;
		if (type == DNS_SRV && sscanf(data, "%u %u %u %63s", &a, &b, &c, x) == 4)
			put_srv(m, name, 60, a, b, c, strcmp(x, ".") == 0 ? "" : x);
		else if (type == DNS_NAPTR && sscanf(data, "%u %u %63s %63s %63s %63s", &a, &b, x, y, z, w) == 6)
			put_naptr(m, name, 60, a, b, x, y, strcmp(z, ".") == 0 ? "" : z, w);
		else if (type == DNS_CNAME && sscanf(data, "%63s", x) == 1)
			put_cname(m, name, 60, x);
		else
			put_address(m, name, 60, data);
	}
	return n;
}

static bool alias_of(const char *zone, const char *name, char to[64], bool *cut)
{
	char line_name[64], rest[64];

	for (const char *p = zone; *p; p = strchr(p, '\n') + 1)
		if (sscanf(p, "%63s CNAME %63s%63[^\n]", line_name, to, rest) >= 2 && strcmp(line_name, name) == 0) {
			*cut = sscanf(p, "%*s CNAME %*s %63s", rest) == 1 && strcmp(rest, "CUT") == 0;
			return true;
		}
	return false;
}

static bool fails(const char *zone, const char *name, uint16_t type)
{
	char want[DNS_TEXT_MAX + 32];

	snprintf(want, sizeof(want), "%s %s FAIL\n", name, dns_type_name(type));
	return strstr(zone, want) != NULL;
}

static void answer(const char *zone, struct lookup *k)
{
	struct packet *m = malloc(sizeof(*m));
	char name[64], to[64];
	unsigned n = 0;
	bool cut = false;

	sprintf(asked + strlen(asked), "%s/%s ", k->name, dns_type_name(k->type));
	if (fails(zone, k->name, k->type)) {
		k->failed = true;
		k->why = "gone";
		free(m);
		return;
	}
	begin(m, k->name, k->type, 0, 0, 0);
	strcpy(name, k->name);
	while (!cut && alias_of(zone, name, to, &cut)) {
		put_cname(m, name, 60, to);
		strcpy(name, to);
		n++;
	}
	if (!cut)
		n += put_records(m, zone, name, k->type);
	m->p[7] = (uint8_t)n;
	if (!n) {
		m->p[9] = 1;
		put_soa(m, "x", 60, 60);
	}
	assert_int_equal(read_answer(m, k->name, k->type, &k->answer), 0);
	free(m);
}

static void places_text(const struct location *l, char *out)
{
	char address[IP_PORT_TEXT_MAX];

	*out = 0;
	for (unsigned i = 0; i < l->count; i++) {
		ip_port_format(&l->places[i].addr, address);
		out += sprintf(out, "%u/%u %s%s, ", l->places[i].priority, l->places[i].weight, address,
			       l->places[i].transport == TRANSPORT_UDP ? "" : l->places[i].transport == TRANSPORT_TCP ? " tcp" : " tls");
	}
	if (l->state == LOCATION_NONE || l->state == LOCATION_FAILED)
		sprintf(out, "%s: %s", l->state == LOCATION_NONE ? "none" : "failed", l->why);
}

static void locate(const char *zone, const struct model_host *target, unsigned families, struct lookups *lookups, struct location *l)
{
	bool open = true;

	while (open) {
		open = false;
		rfc3263_locate(target, families, lookups, l);
		for (unsigned i = 0; i < lookups->count; i++) {
			struct lookup *k = lookups->list[i];

			assert_true(k->used);
			if (k->answer || k->failed)
				continue;
			answer(zone, k);
			open = true;
		}
	}
}

static void zones(void **state)
{
	struct location *l = malloc(sizeof(*l));

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_host target = { .port = cases[i].port, .transport = cases[i].transport };
		struct lookups lookups = { .count = 0 };
		char got[8192];

		strcpy(target.name, cases[i].name);
		*asked = 0;
		locate(cases[i].zone, &target, cases[i].families, &lookups, l);
		places_text(l, got);
		if (strchr(cases[i].want, ':') && (*cases[i].want == 'n' || *cases[i].want == 'f'))
			got[strlen(cases[i].want)] = 0;
		if (strcmp(got, cases[i].want) != 0 || (cases[i].asked && strcmp(asked, cases[i].asked) != 0))
			fail_msg("%s:\n got  %s (asked %s)\n want %s (%s)", cases[i].what, got, asked, cases[i].want,
				 cases[i].asked ? cases[i].asked : "");
		assert_int_equal(l->state == LOCATION_FOUND, l->count > 0);
		lookups_done(&lookups);
	}
	free(l);
}

/* What is open is not an answer: nothing is concluded from half of the way, and what is known stays in use meanwhile. */
static void open_questions(void **state)
{
	static const char zone[] = "_sip._udp.x SRV 1 1 5060 a\n_sip._udp.x SRV 2 1 5060 b\na A 192.0.2.1\nb A 192.0.2.2\n";
	struct model_host target = { .name = "x", .transport = ANY };
	struct location *l = malloc(sizeof(*l));
	struct lookups lookups = { .count = 0 };

	rfc3263_locate(&target, UDP4, &lookups, l);
	assert_int_equal(l->state, LOCATION_OPEN);
	assert_int_equal(lookups.count, 1); /* NAPTR first: SRV only when there is none */
	answer(zone, lookups.list[0]);
	rfc3263_locate(&target, UDP4, &lookups, l);
	assert_int_equal(l->state, LOCATION_OPEN);
	answer(zone, lookups.list[1]);
	rfc3263_locate(&target, UDP4, &lookups, l);
	assert_int_equal(l->state, LOCATION_OPEN);
	assert_int_equal(l->open, 2);
	answer(zone, lookups.list[3]); /* of b only */
	rfc3263_locate(&target, UDP4, &lookups, l);
	assert_int_equal(l->state, LOCATION_FOUND);
	assert_int_equal(l->count, 1);
	assert_int_equal(l->open, 1);
	assert_string_equal(l->places[0].target, "b");
	lookups_done(&lookups);
	free(l);
}

/* More than a trunk has room for: those that come last in priority are left out, and counted. */
static void too_many(void **state)
{
	static char zone[DNS_RECORDS_MAX * 80];
	struct model_host target = { .name = "x", .transport = TRANSPORT_UDP };
	struct location *l = malloc(sizeof(*l));
	struct lookups lookups = { .count = 0 };
	char *p = zone;

	for (unsigned i = 0; i < 100; i++)
		p += sprintf(p, "_sip._udp.x SRV %u 1 5060 t%u\nt%u A 192.0.2.%u\n", 100 - i, i, i, i + 1);
	locate(zone, &target, UDP4, &lookups, l);
	assert_int_equal(l->count, TRUNK_ENDPOINTS_MAX);
	assert_int_equal(l->left_out, 100 - TRUNK_ENDPOINTS_MAX);
	assert_int_equal(l->places[0].priority, 1);
	assert_int_equal(l->places[TRUNK_ENDPOINTS_MAX - 1].priority, TRUNK_ENDPOINTS_MAX);
	lookups_done(&lookups);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(zones), cmocka_unit_test(open_questions), cmocka_unit_test(too_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
