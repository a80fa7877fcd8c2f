-- Sends the body that http_bench wrote, as every request.
local file = assert(io.open(os.getenv("THETA_BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()
