package mend

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatTime is FORMAT_DATE, FORMAT_DATETIME, FORMAT_TIME and FORMAT_TIMESTAMP.
func formatTime(args []any) (any, bool, error) {
	layout, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	t, ok, err := onClocks(args[1], args[2:])
	if err != nil || !ok {
		return nil, ok, err
	}
	var out strings.Builder
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' || i+1 == len(layout) {
			out.WriteByte(layout[i])
			continue
		}
		i++
		if layout[i] == 'E' || layout[i] == 'O' {
			length, text := extended(layout[i:], t)
			if length > 0 {
				out.WriteString(text)
				i += length - 1
				continue
			}
		}
		text, known := element(layout[i], t)
		if !known {
			text = "%" + layout[i:i+1]
		}
		out.WriteString(text)
	}
	return out.String(), true, nil
}

// extended writes an element of more than one letter, and returns its length, 0 when it is none.
func extended(layout string, t time.Time) (int, string) {
	micros := fmt.Sprintf("%06d", t.Nanosecond()/1000)
	switch {
	case strings.HasPrefix(layout, "Ez"):
		return 2, t.Format("-07:00")
	case strings.HasPrefix(layout, "E4Y"):
		return 3, fmt.Sprintf("%04d", t.Year())
	case strings.HasPrefix(layout, "E*S"):
		if micros = strings.TrimRight(micros, "0"); micros == "" {
			return 3, t.Format("05")
		}
		return 3, t.Format("05") + "." + micros
	case len(layout) > 2 && layout[0] == 'E' && layout[2] == 'S' && layout[1] >= '0' && layout[1] <= '9':
		if layout[1] == '0' {
			return 3, t.Format("05")
		}
		return 3, t.Format("05") + "." + (micros + "000")[:layout[1]-'0']
	case len(layout) > 1:
		if text, known := element(layout[1], t); known {
			return 2, text
		}
	}
	return 0, ""
}

var layouts = map[byte]string{
	'A': "Monday", 'a': "Mon", 'B': "January", 'b': "Jan", 'h': "Jan", 'c': "Mon Jan _2 15:04:05 2006", 'D': "01/02/06", 'd': "02", 'e': "_2",
	'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'M': "04", 'm': "01", 'p': "PM", 'P': "pm", 'R': "15:04", 'S': "05", 'T': "15:04:05",
	'X': "15:04:05", 'x': "01/02/06", 'Y': "2006", 'y': "06", 'z': "-0700",
}

func element(letter byte, t time.Time) (text string, known bool) {
	if layout, ok := layouts[letter]; ok {
		return t.Format(layout), true
	}
	isoYear, isoWeek := t.ISOWeek()
	weekday := int(t.Weekday())
	switch letter {
	case '%':
		return "%", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100), true
	case 'G':
		return strconv.Itoa(isoYear), true
	case 'g':
		return fmt.Sprintf("%02d", isoYear%100), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1), true
	case 'Q':
		return strconv.Itoa(int(t.Month()-1)/3 + 1), true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'U':
		return fmt.Sprintf("%02d", weekOfYear(t, time.Sunday)), true
	case 'W':
		return fmt.Sprintf("%02d", weekOfYear(t, time.Monday)), true
	case 'V':
		return fmt.Sprintf("%02d", isoWeek), true
	case 'J':
		return fmt.Sprintf("%03d", isoDay(t)), true
	case 'u':
		return strconv.Itoa((weekday+6)%7 + 1), true
	case 'w':
		return strconv.Itoa(weekday), true
	case 'Z':
		return zoneName(t), true
	}
	return "", false
}

func isoDay(t time.Time) int {
	begin, _ := floor(t, "ISOYEAR")
	return int(days(inUTC(t))-days(begin)) + 1
}

// zoneName is the zone by its offset from UTC, as in UTC, UTC-8 and UTC+5:30.
func zoneName(t time.Time) string {
	_, seconds := t.Zone()
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	switch hours, minutes := seconds/3600, seconds%3600/60; {
	case seconds == 0:
		return "UTC"
	case minutes == 0:
		return fmt.Sprintf("UTC%s%d", sign, hours)
	default:
		return fmt.Sprintf("UTC%s%d:%02d", sign, hours, minutes)
	}
}
