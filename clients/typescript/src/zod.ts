/** Structured output by zod: a schema in, values of its type out. */
import type { $ZodType, output } from "zod/v4/core";
import { prettifyError, safeParse, toJSONSchema } from "zod/v4/core";
import type { ParsedFormat } from "./options.js";

export type { ParsedFormat } from "./options.js";

/**
 * The format of an answer that is JSON of this schema: `done.parsed` is then what the schema makes of it.
 *
 * With `strict`, the default, the upstream holds the model to the schema. It then wants every property required:
 * use `nullable()`, not `optional()`.
 */
export function zodFormat<S extends $ZodType>(
  name: string,
  schema: S,
  { strict = true }: { readonly strict?: boolean } = {},
): ParsedFormat<output<S>> {
  const json = toJSONSchema(schema, {
    io: "input", // what the model writes, before any transform
    override: ({ jsonSchema }) => {
      if (strict && jsonSchema.type === "object") jsonSchema.additionalProperties ??= false;
    },
  });
  return {
    name,
    schema: json,
    strict,
    parse(value) {
      const result = safeParse(schema, value);
      if (!result.success) throw new TypeError(prettifyError(result.error), { cause: result.error });
      return result.data;
    },
  };
}
