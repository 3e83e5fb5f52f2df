/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <cyaml/cyaml.h>
#include <jansson.h>

/* YAML files (JSON is one kind of them) by a libcyaml schema. libcyaml fills the structs; libyaml's own tree is walked first beside the
 * same schema, because libcyaml takes "5060x" for 5060 and "off" for true, and names no line for an unknown key. */

struct yaml_file;

/* Reads the file and its syntax. 0; -ERR_IO, -ERR_INVALID ("FILE:LINE: ..."). any */
int yaml_file_read(const char *path, struct yaml_file **ret_yaml, char *error);
/* The same from memory; name stands for the file in errors. any */
int yaml_file_parse(const char *name, const char *text, size_t bytes, struct yaml_file **ret_yaml, char *error);
void yaml_file_free(struct yaml_file *y);

/* A struct by the schema, for yaml_file_release; an empty file gives an empty one. 0; -ERR_INVALID with "FILE:LINE: key: ...",
 * -ERR_NOMEM. any */
int yaml_file_load(const struct yaml_file *y, const cyaml_schema_value_t *schema, void **ret_data, char *error);
/* Frees what yaml_file_load or json_fill made. NULL is ignored. any */
void yaml_file_release(const cyaml_schema_value_t *schema, void *data);

/* The same content as JSON, scalars typed by the schema. NULL: no memory, or error. any */
json_t *yaml_file_json(const struct yaml_file *y, const cyaml_schema_value_t *schema, char *error);

/* Puts "FILE:LINE: " in front of an error that begins with a key path ("profiles[2].targets[0].trunk: ..."): the line of that key, or of
 * the last part of the path that is there. any */
void yaml_file_locate(const struct yaml_file *y, char *error);
