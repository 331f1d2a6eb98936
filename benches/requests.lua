-- Sends requests that were signed beforehand, one after the other, from a file in which a NUL ends each. Tells the outcome as JSON.
local requests, at = {}, 0

function init(args)
   local file = assert(io.open(args[1], "rb"))
   for request in file:read("*a"):gmatch("([^%z]+)%z") do
      requests[#requests + 1] = request
   end
   file:close()
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %.6f, "bytes": %d, "refused": %d, "broken": %d, "median_us": %d, "p99_us": %d}\n',
      summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
