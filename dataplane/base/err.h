/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Errors are returned negated: 0 is success, -ERR_x a failure. */
enum err {
	ERR_NOMEM = 1,	 /* a pool, a table or the heap is exhausted */
	ERR_FULL,	 /* a bound was reached: ring, list, buffer */
	ERR_INVALID,	 /* what was handed in is malformed */
	ERR_NOT_FOUND,	 /* no such entry */
	ERR_EXISTS,	 /* there is one already */
	ERR_UNSUPPORTED, /* valid, but not offered here (a driver, a scheme) */
	ERR_IO,		 /* the system refused; errno says why */
	ERR_UNREACHABLE, /* no route, no neighbour, no listener of that family */
	ERR_FORGED,	 /* a MAC does not verify */
	ERR_CHANGED,	 /* somebody else was faster */
};

/* A short lower-case word for an error code of either sign. Static storage. any */
const char *err_name(int err);
