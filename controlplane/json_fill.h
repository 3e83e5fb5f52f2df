/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <cyaml/cyaml.h>
#include <jansson.h>

/* JSON by a libcyaml schema, so that what comes over the control socket or from the state file obeys the very rules of the YAML file.
 * *ret_data is for yaml_file_release. 0; -ERR_INVALID with "key.path: what is wrong", -ERR_NOMEM. any */
int json_fill(const json_t *json, const cyaml_schema_value_t *schema, const char *path, void **ret_data, char *error);
