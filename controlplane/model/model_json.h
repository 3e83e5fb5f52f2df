/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

#include "model/model.h"

/* A model's elements as JSON, in the words of the routing sections: what these give, `apply` takes. NULL: no memory. control-only */

json_t *model_trunk_json(const struct model_trunk *t);
json_t *model_profile_json(const struct model_profile *p);
json_t *model_domain_json(const struct model *m, const struct model_domain *d);
/* {"number" or "prefix": ..., "profile": name}; profile NULL: null */
json_t *model_number_json(e164 number, bool prefix, const char *profile);
