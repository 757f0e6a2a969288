package system

import "context"

// outlive returns a context for a part that goes on after the start of the
// system is over. It ends with ctx, so that a start can be given up, until
// started is called; from then on with stop alone.
func outlive(ctx context.Context) (running context.Context, started func() bool, stop context.CancelFunc) {
	running, stop = context.WithCancel(context.WithoutCancel(ctx))
	return running, context.AfterFunc(ctx, stop), stop
}
