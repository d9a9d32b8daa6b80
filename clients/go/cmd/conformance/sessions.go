package main

import trunkline "github.com/trunkline/trunkline/clients/go"

func (l *lines) session(session *trunkline.Session, err error) {
	if err != nil {
		l.error(err)
		return
	}
	l.add("session", struct {
		SessionID        string              `json:"session_id"`
		Live             bool                `json:"live"`
		LineState        trunkline.LineState `json:"line_state"`
		Turns            int64               `json:"turns"`
		IncrementalTurns int64               `json:"incremental_turns"`
		Saved            bool                `json:"saved"`
		Created          bool                `json:"created"`
		Used             bool                `json:"used"`
	}{
		session.SessionID, session.Live, session.LineState, session.Turns, session.IncrementalTurns,
		session.BytesSaved > 0, !session.CreatedAt.IsZero(), !session.LastUsedAt.IsZero(),
	})
}

func (l *lines) turns(turns []trunkline.SessionTurn) {
	for _, turn := range turns {
		l.add("turn", struct {
			TurnID   bool   `json:"turn_id"`
			Key      string `json:"key"`
			Started  bool   `json:"started"`
			Ended    bool   `json:"ended"`
			Sequence bool   `json:"sequence"`
		}{turn.TurnID != "", turn.TurnKey, !turn.StartedAt.IsZero(), turn.Ended, turn.LastSequence > 0})
	}
}
