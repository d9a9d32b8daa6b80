package dev.trunkline;

/**
 * An answer that is a record.
 *
 * @param value the record
 * @param done the turn, with its usage and its report
 * @param <T> the record
 */
public record Parsed<T extends Record>(T value, Done done) {}
