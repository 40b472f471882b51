-- wrk: POST the file named by $BODY as JSON; of a .jsonl file one line after the other.
local name = os.getenv("BODY")
local file = io.open(name, "r")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
if name:match("%.jsonl$") then
  local lines, at = {}, 0
  for line in file:lines() do lines[#lines + 1] = line end
  request = function()
    at = at % #lines + 1
    return wrk.format(nil, nil, nil, lines[at])
  end
else
  wrk.body = file:read("*a")
end
