/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rpc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/operations.h"
#include "base/err.h"
#include "error.h"

/* JSON-RPC 2.0 §5.1; what operations refuse otherwise is -32000 minus the error. */
enum rpc_code { RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_METHOD = -32601, RPC_PARAMS = -32602, RPC_REFUSED = -32000 };

static json_t *error_json(json_t *id, int code, const char *message, const char *reason)
{
	json_t *error = json_pack("{s:i, s:s}", "code", code, "message", message);

	if (reason)
		json_object_set_new(error, "data", json_pack("{s:s}", "reason", reason));
	return json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "error", error, "id", id ? id : json_null());
}

static json_t *call(struct control *c, const struct operation *op, json_t *request, json_t *id)
{
	char error[ERROR_TEXT_MAX] = "";
	json_t *result = NULL;
	int err = operation_run(op, c, json_object_get(request, "params"), &result, error);

	if (!err && !id) {
		json_decref(result);
		return NULL;
	}
	if (!err)
		return json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "result", result, "id", id);
	if (!id)
		return NULL;
	return error_json(id, err == -ERR_INVALID ? RPC_PARAMS : RPC_REFUSED + err, error, err_name(err));
}

/* One request object; NULL: a notification. */
static json_t *answer_one(struct control *c, json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const char *method = json_string_value(json_object_get(request, "method"));
	const struct operation *op;
	char text[ERROR_TEXT_MAX];

	if (!json_is_object(request) || !version || strcmp(version, "2.0") != 0 || !method ||
	    (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)))
		return error_json(NULL, RPC_REQUEST, "not a JSON-RPC 2.0 request: needs jsonrpc \"2.0\", method, and id", NULL);
	op = operation_find(method);
	if (op)
		return call(c, op, request, id);
	error_set(text, 0, "no method named %.64s (operations lists them)", method);
	return id ? error_json(id, RPC_METHOD, text, NULL) : NULL;
}

static json_t *answer_batch(struct control *c, json_t *batch)
{
	json_t *answers = json_array(), *request;
	size_t i;

	json_array_foreach(batch, i, request) {
		json_t *answer = answer_one(c, request);

		if (answer)
			json_array_append_new(answers, answer);
	}
	if (json_array_size(answers))
		return answers;
	json_decref(answers);
	return NULL;
}

char *rpc_answer(struct control *c, const char *request, size_t bytes)
{
	json_error_t problem;
	json_t *parsed = json_loadb(request, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem), *answer;
	char text[ERROR_TEXT_MAX], *line = NULL;

	if (!parsed) {
		error_set(text, 0, "not JSON: %s", problem.text);
		answer = error_json(NULL, RPC_PARSE, text, NULL);
	} else if (json_is_array(parsed) && json_array_size(parsed)) {
		answer = answer_batch(c, parsed);
	} else {
		answer = answer_one(c, parsed);
	}
	if (answer) {
		char *compact = json_dumps(answer, JSON_COMPACT);
		size_t n = compact ? strlen(compact) : 0;

		line = compact ? realloc(compact, n + 2) : NULL;
		if (line)
			memcpy(line + n, "\n", 2);
		else
			free(compact);
	}
	json_decref(answer);
	json_decref(parsed);
	return line;
}
