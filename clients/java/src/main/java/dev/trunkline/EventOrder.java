package dev.trunkline;

import dev.trunkline.v1.StreamCompletionResponse;

/** Counts the events of one turn over all of its calls, so that each of them counts once and in order. */
final class EventOrder {
  /** Where a message stands. */
  enum Place {
    /** It is the next event. */
    NEXT,
    /** It was there before, or is no event: a heartbeat. */
    OLD,
    /** The first of its call, and of another turn: the one that was to go on is lost. */
    RESTARTED,
    /** An event before it is missing. */
    AHEAD
  }

  private final boolean strict;
  private long last;
  private boolean first;

  /** Not {@code strict}: the turn has one call, and all that it brings is next. */
  EventOrder(long after, boolean strict) {
    this.last = after;
    this.strict = strict;
  }

  /** The number of the last event. */
  long last() {
    return last;
  }

  /** Another call begins. */
  void open() {
    first = true;
  }

  Place place(StreamCompletionResponse message) {
    if (message.hasHeartbeat()) {
      return Place.OLD;
    }
    boolean begins = first;
    first = false;
    long number = message.getSequence();
    if (!strict) {
      last = number;
      return Place.NEXT;
    }
    if (number > last) {
      Place place = number == last + 1 ? Place.NEXT : Place.AHEAD;
      last = place == Place.NEXT ? number : last;
      return place;
    }
    return begins && number == 1 ? Place.RESTARTED : Place.OLD;
  }
}
