# SPDX-License-Identifier: BSD-2-Clause
# The rules that look at lines: reads tests/lint/allow first, then every source. Prints "path:line: rule: text".
# Works in mawk and gawk.

function say(line, rule, text)
{
	printf "%s:%d: %s: %s\n", path, line, rule, text
}

# The room of a path: the longest row of the table below that it begins with.
function room_of(p,    r, best)
{
	best = ""
	for (r in may)
		if (index(p, r) == 1 && length(r) > length(best))
			best = r
	return best
}

BEGIN {
	LINES_FILE = 700
	LINES_TEST = 1000 # tables of cases
	LINES_FUNCTION = 100
	MARKS = "(^|[^A-Za-z_])(TO" "DO|FIX" "ME)([^A-Za-z_]|$)"

	# who may include what of ours (docs/design.md, "the tree"): folders or files, '|' between them
	may["common/"] = "common/"
	may["maps/"] = "maps/|common/"
	may["maps/layout.h"] = may["maps/drop.h"] = may["maps/names.h"] = may["maps/match.h"] = "maps/"
	may["bpf/"] = "bpf/|maps/"
	may["loader/"] = "loader/|maps/|common/|bpf/xdpsec.skel.h"
	may["dataplane/"] = "dataplane/|maps/|common/"
	may["agent/"] = "agent/|maps/|common/"
	may["agent/wire/"] = "agent/wire/|common/"
	may["agent/crypt/"] = "agent/crypt/|agent/wire/|common/"
	may["tools/"] = "tools/|common/"
	# `decode` shows messages by the agent's own decoders, names and ciphers: a second reader would show something else
	may["tools/xdpsec/decode"] = "tools/|common/|agent/wire/|agent/crypt/|agent/cred/dn.h"
	may["tools/bench/"] = "tools/|loader/|dataplane/|maps/|common/"
	# an initiator that stands beside the agent: the same words on the wire, none of its state
	may["tools/bench/ike_load.c"] = "tools/|agent/wire/|agent/crypt/|common/"
	may["tests/"] = ""

	# system headers: all that the pure decoders and the headers shared with BPF may see
	system_only["agent/wire/"] = "^(errno|netinet/in|stdbool|stddef|stdint|stdio|string)[.]h$"
	system_only["maps/layout.h"] = system_only["maps/drop.h"] = system_only["maps/names.h"] = \
		system_only["maps/match.h"] = "^(linux/|stddef[.]h|stdint[.]h)"
	system_only["bpf/"] = "^(linux/|bpf/|stddef[.]h|stdbool[.]h|stdint[.]h)"

	openssl = "^(agent/crypt/|agent/cred/|agent/keys/|agent/eap/|common/(secret|xcbc)[.]c|tests/|tools/bench/|tools/xdpsec/decode_cert[.]c" \
		"|dataplane/(crypto_openssl|iv|control|main)[.][ch])"
}

FILENAME ~ /tests\/lint\/allow$/ {
	if ($0 !~ /^#/ && NF >= 2)
		allowed[$1 " " $2 (NF > 2 && $1 == "function" ? " " $3 : "")] = $1 == "memcmp" ? $3 : 1
	next
}

FNR == 1 {
	finish()
	path = FILENAME
	room = room_of(path)
	spdx = memcmps = start = 0
	code = path ~ /[.][ch]$/
}

{ last = FNR }

FNR <= 3 && /SPDX-License-Identifier: / { spdx = 1 }

$0 ~ MARKS { say(FNR, "mark", "say it in an issue, not in the code") }

!code { next }

/^#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	inc = part[2]
	if (inc !~ /\//) {
		dir = path
		sub(/[^\/]*$/, "", dir)
		inc = dir inc
	}
	if (may[room] != "") {
		n = split(may[room], ok, "|")
		for (i = 1; i <= n && index(inc, ok[i]) != 1; i++)
			;
		if (i > n && !(("include " path) in allowed))
			say(FNR, "include", room " may not include " inc)
	}
}

/^#[ \t]*include[ \t]*</ {
	inc = $0
	sub(/^[^<]*</, "", inc)
	sub(/>.*/, "", inc)
	if ((room in system_only) && inc !~ system_only[room])
		say(FNR, "include", room " may not include <" inc ">")
	if (inc ~ /^openssl\// && path !~ openssl)
		say(FNR, "include", "OpenSSL stays in agent/crypt, agent/cred, agent/keys, agent/eap and the engine's backend")
	if (inc ~ /^rte_/ && path !~ /^(dataplane|tools\/bench|tests)\//)
		say(FNR, "include", "DPDK stays in dataplane")
}

# bytes of packets go through common/rd.h and common/wr.h
path ~ /^agent\/(wire|crypt|exch|sa|eap|keys|control)\// && /(^|[^A-Za-z_])(ntoh[sl]|hton[sl]|be(16|32|64)toh|htobe(16|32|64))[ \t]*\(/ {
	say(FNR, "bytes", "use the byte reader or writer")
}

path !~ /^tests\// && /(^|[^A-Za-z_])assert[ \t]*\(/ { say(FNR, "assert", "no input may reach an assert: return an error") }

path ~ /^(agent|common|dataplane)\// && /(^|[^A-Za-z_])memcmp[ \t]*\(/ {
	line = $0
	memcmps += gsub(/(^|[^A-Za-z_])memcmp[ \t]*\(/, "", line)
	memcmp_line = FNR
}

# kernel style: the body of a function stands between a { and a } in the first column
/^[A-Za-z_].*\(/ && !/;[ \t]*$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^\{[ \t]*$/ { start = FNR }
/^\}/ {
	if (start && FNR - start - 1 > LINES_FUNCTION && !(("function " path " " name) in allowed))
		say(start, "length", name " has " FNR - start - 1 " lines, more than " LINES_FUNCTION)
	start = 0
}

function finish()
{
	if (path == "")
		return
	if (!spdx)
		say(1, "licence", "no SPDX line in the first three")
	most = path ~ /^tests\// ? LINES_TEST : LINES_FILE
	if (code && last > most && !(("file " path) in allowed))
		say(last, "length", "file of more than " most " lines")
	if (memcmps > allowed["memcmp " path] + 0)
		say(memcmp_line, "memcmp", memcmps " plain memcmp, " allowed["memcmp " path] + 0 \
			" allowed: secrets and tags need secret_equal; else add it to tests/lint/allow")
	path = ""
}

END { finish() }
