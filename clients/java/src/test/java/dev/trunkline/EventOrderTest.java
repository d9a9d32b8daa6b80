package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.trunkline.EventOrder.Place;
import dev.trunkline.v1.Heartbeat;
import dev.trunkline.v1.StreamCompletionResponse;
import org.junit.jupiter.api.Test;

class EventOrderTest {
  private static StreamCompletionResponse event(long number) {
    return StreamCompletionResponse.newBuilder().setSequence(number).build();
  }

  private static StreamCompletionResponse heartbeat(long number) {
    return event(number).toBuilder().setHeartbeat(Heartbeat.getDefaultInstance()).build();
  }

  @Test
  void eachEventCountsOnce() {
    EventOrder order = new EventOrder(0, true);
    order.open();
    assertEquals(Place.NEXT, order.place(event(1)));
    assertEquals(Place.NEXT, order.place(event(2)));
    order.open();
    assertEquals(Place.OLD, order.place(event(2)));
    assertEquals(Place.OLD, order.place(heartbeat(2)));
    assertEquals(Place.NEXT, order.place(event(3)));
    assertEquals(3, order.last());
  }

  @Test
  void aMissingEventIsNoticed() {
    EventOrder order = new EventOrder(0, true);
    order.open();
    assertEquals(Place.AHEAD, order.place(event(2)));
    assertEquals(0, order.last());
  }

  @Test
  void onlyTheFirstEventOfACallTellsAnotherTurn() {
    EventOrder order = new EventOrder(0, true);
    order.open();
    order.place(event(1));
    assertEquals(Place.OLD, order.place(event(1)));
    order.open();
    assertEquals(Place.OLD, order.place(heartbeat(0)));
    assertEquals(Place.RESTARTED, order.place(event(1)));
  }

  @Test
  void whatWasAskedForCountsAsHad() {
    EventOrder order = new EventOrder(5, true);
    order.open();
    assertEquals(Place.RESTARTED, order.place(event(1)));
    order.open();
    assertEquals(Place.NEXT, order.place(event(6)));
  }

  @Test
  void aTurnOfOneCallTakesWhatComes() {
    EventOrder order = new EventOrder(5, false);
    order.open();
    assertEquals(Place.NEXT, order.place(event(9)));
    assertEquals(Place.OLD, order.place(heartbeat(9)));
    assertEquals(9, order.last());
  }
}
