package dev.trunkline;

import dev.trunkline.v1.ListSessionsResponse;
import java.util.List;

/**
 * A page of the caller's sessions on one replica.
 *
 * @param sessions the sessions, by session id
 * @param nextPageToken where the next page begins; empty: this was the last
 * @param replica the replica that answers, for itself only
 */
public record SessionPage(List<Session> sessions, String nextPageToken, String replica) {

  static SessionPage from(ListSessionsResponse wire) {
    return new SessionPage(
        wire.getSessionsList().stream().map(Session::from).toList(), wire.getNextPageToken(), wire.getReplica());
  }
}
