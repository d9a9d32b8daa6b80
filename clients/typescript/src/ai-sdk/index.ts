/** A provider of the AI SDK (`ai` on npm): its models run over a Trunkline client. */
import type { ProviderV4 } from "@ai-sdk/provider";
import { NoSuchModelError } from "@ai-sdk/provider";
import type { Client } from "../client.js";
import { SessionFinder } from "../session-finder.js";
import type { Settings } from "./model.js";
import { LanguageModel } from "./model.js";
import { tool } from "./tools.js";

export type { Settings as TrunklineSettings } from "./model.js";

/** Makes models by their ids: `trunkline("gpt-5.6")`. */
export interface TrunklineProvider extends ProviderV4 {
  (modelId: string, settings?: Settings): LanguageModel;
  languageModel(modelId: string, settings?: Settings): LanguageModel;
  readonly tool: typeof tool;
}

/** A provider over this client. `settings` are of all its models; each model, and each call, may have its own on top. */
export function createTrunkline(client: Client, settings: Settings = {}): TrunklineProvider {
  const sessions = new SessionFinder();
  const languageModel = (modelId: string, own: Settings = {}) =>
    new LanguageModel(modelId, client, sessions, { ...settings, ...own });
  const none = (modelType: "embeddingModel" | "imageModel") => (modelId: string) => {
    throw new NoSuchModelError({ modelId, modelType });
  };
  return Object.assign((modelId: string, own?: Settings) => languageModel(modelId, own), {
    specificationVersion: "v4" as const,
    languageModel,
    embeddingModel: none("embeddingModel"),
    imageModel: none("imageModel"),
    tool,
  });
}
