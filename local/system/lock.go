package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("another process holds the lock")

// lockFolder takes the folder for this process until unlock: two systems that
// write to the same files damage both. The lock is a file of its own in the
// folder; nothing else there is touched.
func lockFolder(folder string) (unlock func() error, err error) {
	unlock, err = lockFile(filepath.Join(folder, "lock"))
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("another stationflow is running on the folder %s: stop it first, or name another folder with --data%s", folder, lockRemedy)
	case err != nil:
		return nil, fmt.Errorf("locking the folder %s: %w", folder, err)
	}
	return unlock, nil
}

// openLock opens the file that is locked; it holds nothing.
func openLock(path string, flags int) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|flags, 0o644)
}
