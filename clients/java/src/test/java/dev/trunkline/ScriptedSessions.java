package dev.trunkline;

import dev.trunkline.v1.CancelTurnRequest;
import dev.trunkline.v1.CancelTurnResponse;
import dev.trunkline.v1.GetSessionRequest;
import dev.trunkline.v1.GetSessionResponse;
import dev.trunkline.v1.ListSessionsRequest;
import dev.trunkline.v1.ListSessionsResponse;
import dev.trunkline.v1.ReleaseSessionRequest;
import dev.trunkline.v1.ReleaseSessionResponse;
import dev.trunkline.v1.Session;
import dev.trunkline.v1.SessionServiceGrpc;
import dev.trunkline.v1.SessionTurn;
import dev.trunkline.v1.WarmSessionRequest;
import dev.trunkline.v1.WarmSessionResponse;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Queue;

/** The session calls of {@link Scripted}: they go well unless the next script is a failure. */
final class ScriptedSessions extends SessionServiceGrpc.SessionServiceImplBase {
  private final Queue<List<Object>> scripts;
  private final Queue<CancelTurnRequest> cancelled;

  /** {@code cancelled} gets what is cancelled. */
  ScriptedSessions(Queue<List<Object>> scripts, Queue<CancelTurnRequest> cancelled) {
    this.scripts = scripts;
    this.cancelled = cancelled;
  }

  private <R> void answer(R response, StreamObserver<R> caller) {
    List<Object> next = scripts.peek();
    if (next != null && !next.isEmpty() && next.get(0) instanceof StatusRuntimeException failure) {
      scripts.remove();
      caller.onError(failure);
      return;
    }
    caller.onNext(response);
    caller.onCompleted();
  }

  @Override
  public void warmSession(WarmSessionRequest request, StreamObserver<WarmSessionResponse> caller) {
    Session session = Session.newBuilder().setSessionId(request.getSessionId()).setLive(request.getPrime()).build();
    answer(WarmSessionResponse.newBuilder().setSession(session).build(), caller);
  }

  /** Two turns have ended well, one is kept, one waits. */
  @Override
  public void getSession(GetSessionRequest request, StreamObserver<GetSessionResponse> caller) {
    Session.Builder session = Session.newBuilder().setSessionId(request.getSessionId()).setTurns(2);
    session.addRunningTurnsBuilder().setTurnId("t1").setTurnKey("k1").setEnded(true).setLastSequence(7);
    session.getRunningTurnsBuilder(0).getStartedAtBuilder().setSeconds(5);
    session.addRunningTurns(SessionTurn.newBuilder().setAttached(true));
    answer(GetSessionResponse.newBuilder().setSession(session).build(), caller);
  }

  /** Three sessions, two a page. */
  @Override
  public void listSessions(ListSessionsRequest request, StreamObserver<ListSessionsResponse> caller) {
    boolean first = request.getPageToken().isEmpty();
    var page = ListSessionsResponse.newBuilder().setReplica("blue").setNextPageToken(first ? "2" : "");
    (first ? List.of("a", "b") : List.of("c")).forEach(id -> page.addSessions(Session.newBuilder().setSessionId(id)));
    answer(page.build(), caller);
  }

  @Override
  public void releaseSession(ReleaseSessionRequest request, StreamObserver<ReleaseSessionResponse> caller) {
    answer(ReleaseSessionResponse.getDefaultInstance(), caller);
  }

  @Override
  public void cancelTurn(CancelTurnRequest request, StreamObserver<CancelTurnResponse> caller) {
    cancelled.add(request);
    answer(CancelTurnResponse.getDefaultInstance(), caller);
  }
}
