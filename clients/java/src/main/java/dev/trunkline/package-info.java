/**
 * The Java client of Trunkline: one door to a model that keeps each conversation on a warm line.
 *
 * <p>Begin with {@link dev.trunkline.Trunkline}. What goes over the wire, {@link dev.trunkline.v1.Message} above
 * all, is in {@code dev.trunkline.v1}.
 */
package dev.trunkline;
