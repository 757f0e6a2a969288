package warehouse

import "net/http"

// ready has the owner of the warehouse fill the tables that a statement may
// read, or answers the request with why it could not. Do not hold the gate.
func (s *rest) ready(w http.ResponseWriter, r *http.Request, statement string) bool {
	if s.before == nil {
		return true
	}
	if err := s.before(r.Context(), statement); err != nil {
		(&apiError{http.StatusBadRequest, "invalid", err.Error()}).write(w)
		return false
	}
	return true
}
