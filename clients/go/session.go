package trunkline

import (
	"context"
	"iter"
	"time"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// A Session is what the service remembers of a conversation: a cache, never the truth.
type Session struct {
	SessionID        string
	Live             bool // it has an open line
	LineState        LineState
	Turns            int64 // that ended well
	IncrementalTurns int64 // of these
	BytesSaved       int64
	CreatedAt        time.Time
	LastUsedAt       time.Time
	RunningTurns     []SessionTurn // and those that have ended and are kept for their callers; oldest first
}

// A SessionTurn is a turn that runs, or that has ended and can still be read.
type SessionTurn struct {
	TurnID       string // empty: it waits for a place
	TurnKey      string // see [TurnKey]; empty: it has none
	StartedAt    time.Time
	Attached     bool // a caller reads it
	Ended        bool
	LastSequence int64 // of its latest event
}

// A SessionPage is a page of the caller's sessions on one replica. Without a next page token it is the last.
type SessionPage struct {
	Sessions      []*Session
	NextPageToken string
	Replica       string
}

// A WarmRequest opens a session's connection before the first message.
type WarmRequest struct {
	SessionID    string
	Model        string // required with Prime
	Instructions string
	Tools        []Tool
	Prime        bool // send model, instructions and tools ahead
}

// Warm opens a session's connection, and returns when it is open.
func (c *Client) Warm(ctx context.Context, request WarmRequest) (*Session, error) {
	response, err := call(ctx, c, request.SessionID, c.sessions.WarmSession, &pb.WarmSessionRequest{
		SessionId:    request.SessionID,
		Model:        request.Model,
		Instructions: request.Instructions,
		Tools:        toolProtos(request.Tools),
		Prime:        request.Prime,
	})
	if err != nil {
		return nil, err
	}
	return sessionFrom(response.GetSession()), nil
}

// Session returns what the service remembers. Unknown: an [*Error] with reason SESSION_NOT_FOUND.
func (c *Client) Session(ctx context.Context, sessionID string) (*Session, error) {
	response, err := call(ctx, c, sessionID, c.sessions.GetSession, &pb.GetSessionRequest{SessionId: sessionID})
	if err != nil {
		return nil, err
	}
	return sessionFrom(response.GetSession()), nil
}

// Sessions yields all of the caller's sessions on the replica that answers, page after page.
func (c *Client) Sessions(ctx context.Context) iter.Seq2[*Session, error] {
	return func(yield func(*Session, error) bool) {
		for token := ""; ; {
			page, err := c.SessionPage(ctx, 0, token)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, session := range page.Sessions {
				if !yield(session, nil) {
					return
				}
			}
			if token = page.NextPageToken; token == "" {
				return
			}
		}
	}
}

// SessionPage returns one page of at most size sessions (zero: 100), the first one without a token.
func (c *Client) SessionPage(ctx context.Context, size int, token string) (*SessionPage, error) {
	request := &pb.ListSessionsRequest{PageSize: int32(size), PageToken: token}
	response, err := call(ctx, c, "", c.sessions.ListSessions, request)
	if err != nil {
		return nil, err
	}
	page := &SessionPage{NextPageToken: response.GetNextPageToken(), Replica: response.GetReplica()}
	for _, session := range response.GetSessions() {
		page.Sessions = append(page.Sessions, sessionFrom(session))
	}
	return page, nil
}

// Release lets the service forget a session and close its connection; a running turn finishes first. It does
// nothing if the session is unknown.
func (c *Client) Release(ctx context.Context, sessionID string) error {
	request := &pb.ReleaseSessionRequest{SessionId: sessionID}
	_, err := call(ctx, c, sessionID, c.sessions.ReleaseSession, request)
	return err
}

// CancelTurn stops a turn ([Start].TurnID) now, whether its caller is there or not. Where the session has no such turn:
// an [*Error] with reason TURN_NOT_FOUND.
func (c *Client) CancelTurn(ctx context.Context, sessionID, turnID string) error {
	return c.cancelTurn(ctx, &pb.CancelTurnRequest{
		SessionId: sessionID, Turn: &pb.CancelTurnRequest_TurnId{TurnId: turnID},
	})
}

// CancelTurnKey stops the turn that a [TurnKey] names, as [Client.CancelTurn] does.
func (c *Client) CancelTurnKey(ctx context.Context, sessionID, turnKey string) error {
	return c.cancelTurn(ctx, &pb.CancelTurnRequest{
		SessionId: sessionID, Turn: &pb.CancelTurnRequest_TurnKey{TurnKey: turnKey},
	})
}

func (c *Client) cancelTurn(ctx context.Context, request *pb.CancelTurnRequest) error {
	_, err := call(ctx, c, request.SessionId, c.sessions.CancelTurn, request)
	return err
}

func sessionFrom(session *pb.Session) *Session {
	return &Session{
		SessionID:        session.GetSessionId(),
		Live:             session.GetLive(),
		LineState:        word[LineState](session.GetLineState(), "LINE_STATE_"),
		Turns:            session.GetTurns(),
		IncrementalTurns: session.GetIncrementalTurns(),
		BytesSaved:       session.GetBytesSaved(),
		CreatedAt:        timeFrom(session.GetCreatedAt()),
		LastUsedAt:       timeFrom(session.GetLastUsedAt()),
		RunningTurns:     turnsFrom(session.GetRunningTurns()),
	}
}

func turnsFrom(turns []*pb.SessionTurn) (found []SessionTurn) {
	for _, turn := range turns {
		found = append(found, SessionTurn{
			TurnID:       turn.GetTurnId(),
			TurnKey:      turn.GetTurnKey(),
			StartedAt:    timeFrom(turn.GetStartedAt()),
			Attached:     turn.GetAttached(),
			Ended:        turn.GetEnded(),
			LastSequence: turn.GetLastSequence(),
		})
	}
	return found
}
