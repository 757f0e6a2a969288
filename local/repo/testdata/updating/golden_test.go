package updating

import (
	"flag"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestItself(t *testing.T) { t.Log(*update) }

func TestThroughTwo(t *testing.T) { first(t) }

func TestOther(t *testing.T) { t.Log("no file") }

func first(t *testing.T) { second(t) }

func second(t *testing.T) { t.Log(*update) }
