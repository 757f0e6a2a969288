//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package system

import (
	"errors"
	"io/fs"
	"os"
)

const lockRemedy = "; after a crash, delete the file lock in it"

// lockFile makes a file that must not exist, and unlock removes it. Here a
// crash leaves the file behind.
func lockFile(path string) (unlock func() error, err error) {
	file, err := openLock(path, os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nil, errLocked
	}
	if err != nil {
		return nil, err
	}
	return func() error { return os.Remove(path) }, file.Close()
}
