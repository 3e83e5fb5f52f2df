/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/device.h"

struct device_case {
	const char *arguments;
	enum device_kind kind;
	const char *name, *interface;
	uint32_t framesz;
};

static const struct device_case device_cases[] = {
	{ "0000:00:05.0", DEVICE_PCI, "0000:00:05.0", NULL, 1 },
	{ "00:05.0,arg=1", DEVICE_PCI, "00:05.0", NULL, 1 },
	{ "net_af_packet0,iface=eth1,framesz=4096,x=2", DEVICE_AF_PACKET, "net_af_packet0", "eth1", 4096 },
	{ "eth_af_packet7,xiface=a,iface=b", DEVICE_AF_PACKET, "eth_af_packet7", "b", 1 },
	{ "net_af_xdp3,iface=eth1", DEVICE_AF_XDP, "net_af_xdp3", "eth1", 1 },
	{ "net_af_xdp3,iface=interfacenamethatislong", DEVICE_AF_XDP, "net_af_xdp3", NULL, 1 },
	{ "net_tap0,iface=t", DEVICE_TAP, "net_tap0", NULL, 1 },
	{ "net_null0,framesz=", DEVICE_OTHER, "net_null0", NULL, 1 },
	{ "net_memif0,framesz=x1", DEVICE_OTHER, "net_memif0", NULL, 1 },
	{ "", DEVICE_OTHER, NULL, NULL, 1 },
	{ ",iface=x", DEVICE_OTHER, NULL, NULL, 1 },
};

static void test_device(void **state)
{
	for (size_t i = 0; i < sizeof(device_cases) / sizeof(device_cases[0]); i++) {
		const struct device_case *c = &device_cases[i];
		char name[DEVICE_NAME_MAX], interface[16];

		assert_int_equal(device_kind(c->arguments), c->kind);
		assert_int_equal(device_name(c->arguments, name), c->name ? 0 : -ERR_INVALID);
		if (c->name)
			assert_string_equal(name, c->name);
		assert_int_equal(device_interface(c->arguments, interface), !!c->interface);
		if (c->interface)
			assert_string_equal(interface, c->interface);
		assert_int_equal(device_number(c->arguments, "framesz", 1), c->framesz);
	}
}

static void test_memif(void **state)
{
	static const struct {
		const char *arguments;
		bool shares, connects;
	} cases[] = {
		{ "net_memif0,role=client,socket=/run/m,zero-copy=yes", true, true },
		{ "net_memif0,zero-copy=yes,role=client", true, true },
		{ "net_memif0,role=client,zero-copy=no", false, true },
		{ "net_memif0,role=client,zero-copy=yesterday", false, true },
		{ "net_memif0", false, true },
		{ "net_memif0,role=server,socket=/run/client", false, false },
		{ "net_af_xdp0,iface=eth1,zero-copy=yes", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(device_shares_buffers(cases[i].arguments), cases[i].shares);
		assert_int_equal(device_connects(cases[i].arguments), cases[i].connects);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_device), cmocka_unit_test(test_memif) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
