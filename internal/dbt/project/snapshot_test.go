package project

import "testing"

// A dash at the tags of a block takes the white space inside of it away.
func TestSnapshot_InsideOfABlock(t *testing.T) {
	for block, want := range map[string]string{
		"{% snapshot s %}\n select 1\n{% endsnapshot %}":          "\n select 1\n",
		"{%- snapshot s -%} {{ x }} select 1 {%- endsnapshot -%}": "{{ x }} select 1",
		"{%snapshot s%}{% if a %}1{% endif %}{%endsnapshot%}":     "{% if a %}1{% endif %}",
	} {
		if got := insideOf(block); got != want {
			t.Errorf("%q: got %q, want %q", block, got, want)
		}
	}
}
