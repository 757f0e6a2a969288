package warehouse
import ("testing";"runtime";"os";"strconv";"time")
func TestScratchMem(t *testing.T) {
	every, _ := strconv.Atoi(os.Getenv("GCEVERY"))
	w, _ := start(t, "")
	client := restClient(t, w)
	createTable(t, client, "t", soakSchema)
	rows := newRowType(t, twoColumns)
	_ = rows
	createTable(t, client, "u", twoColumns)
	c := connect(t, rawClient(t, w))
	c.append(tableName("s", "u")+"/streams/_default", &rows, rows.row(t, "a", 1))
	t0 := time.Now()
	for i := range 3001 {
		if os.Getenv("WHAT") != "q" { c.append("", nil, rows.row(t, "a", 1)) }
		if os.Getenv("WHAT") != "a" && i % 3 == 0 { run(t, client, refresh("t", 1)) }
		if every > 0 && i % every == 0 { runtime.GC() }
		if i % 500 == 0 { t.Log(i, time.Since(t0).Round(time.Millisecond), memoryText()) }
	}
	for range 5 { runtime.GC(); time.Sleep(50*time.Millisecond) }
	t.Log("after GC", memoryText())
}
