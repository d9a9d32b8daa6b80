/**
 * The Java client of Trunkline: a gRPC service that keeps each conversation on a warm connection to the model.
 *
 * <p>Begin with {@link dev.trunkline.Trunkline}. The protobuf messages, {@link dev.trunkline.v1.Message} above
 * all, are in {@code dev.trunkline.v1}.
 */
package dev.trunkline;
