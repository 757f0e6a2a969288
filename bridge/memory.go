package bridge

import "sync"

// A memory is what all batches of a session may take, open and on their way.
// Half of it is taken as there is need. The other half is for those that find
// the first half taken, a share for each partition: whatever one partition
// holds back, it never takes the share of another. It is safe for concurrent
// use.
type memory struct {
	common int64 // bytes that are taken as there is need
	share  int64 // bytes that each partition may have at any rate

	mu    sync.Mutex
	taken int64
	freed chan struct{} // closed when some was given back
}

func newMemory(common, share int64) *memory {
	return &memory{common: common, share: share, freed: make(chan struct{})}
}

// take takes so many bytes, or none and returns false when the common half
// would not hold them.
func (m *memory) take(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken+bytes > m.common {
		return false
	}
	m.taken += bytes
	return true
}

// takeShare takes bytes of a partition's share, or of what is in use already.
func (m *memory) takeShare(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken += bytes
}

// give gives bytes back.
func (m *memory) give(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken -= bytes
	close(m.freed)
	m.freed = make(chan struct{})
}

// more is closed the next time that bytes are given back.
func (m *memory) more() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.freed
}
