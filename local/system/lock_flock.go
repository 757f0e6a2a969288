//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package system

import (
	"errors"
	"syscall"
)

const lockRemedy = ""

// lockFile locks a file until unlock, or until this process ends in whatever
// way: the kernel gives the lock back. Children do not inherit it.
func lockFile(path string) (unlock func() error, err error) {
	file, err := openLock(path, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}
