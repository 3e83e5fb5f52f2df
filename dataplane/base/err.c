/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

const char *err_name(int err)
{
	switch (err < 0 ? -err : err) {
	case 0: return "ok";
	case ERR_NOMEM: return "out of memory";
	case ERR_FULL: return "full";
	case ERR_INVALID: return "invalid";
	case ERR_NOT_FOUND: return "not found";
	case ERR_EXISTS: return "exists";
	case ERR_UNSUPPORTED: return "unsupported";
	case ERR_IO: return "i/o error";
	case ERR_UNREACHABLE: return "unreachable";
	case ERR_FORGED: return "forged";
	case ERR_CHANGED: return "changed";
	}
	return "unknown error";
}
