/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/uri.h"

/* name_addr_next that picks up the tag on its way (p == NULL: none). any */
int name_addr_read(struct span *rest, struct name_addr *ret_element, struct span *ret_tag);
