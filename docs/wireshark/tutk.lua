-- TUTK / IOTC for Wireshark and tshark: TransCode undone, 0xCC51, AV messages, K-commands, FRAMEINFO.
-- docs/wireshark/README.md says how to use it; docs/protocol.md says what it means.

local tutk = Proto("tutk", "TUTK IOTC")
local av = Proto("tutkav", "TUTK AV")

local COMMANDS = {
  [0x0601] = "search", [0x0602] = "search response", [0x0402] = "session request", [0x0404] = "session response",
  [0x0401] = "hole punch", [0x0407] = "data to the camera", [0x0408] = "data to the app",
  [0x0427] = "alive of the app", [0x0428] = "alive of the camera", [0x0417] = "close by the app",
  [0x0418] = "close by the camera" }
local C_COMMANDS = { [0x1002] = "search and session", [0x1202] = "alive", [0x1302] = "close", [0x1502] = "data" }
local f = {
  -- the older framing
  version = ProtoField.uint8("iotc.version", "Version", base.HEX),
  mode = ProtoField.uint8("iotc.mode", "Mode", base.HEX, { [0x02] = "connect stage", [0x0a] = "connected", [0x0b] = "connected, DTLS inside" }),
  body_length = ProtoField.uint16("iotc.body_length", "Body length"),
  sequence = ProtoField.uint16("iotc.sequence", "Sequence"),
  command = ProtoField.uint16("iotc.command", "Command", base.HEX, COMMANDS),
  flags = ProtoField.uint16("iotc.flags", "Flags", base.HEX),
  channel = ProtoField.uint8("iotc.channel", "Channel"),
  sid = ProtoField.bytes("iotc.sid", "Session id"),
  stage = ProtoField.uint8("iotc.stage", "Stage"),
  token = ProtoField.bytes("iotc.token", "Token"),
  -- 0xCC51
  c_command = ProtoField.uint16("cc51.command", "Command", base.HEX, C_COMMANDS),
  c_body_length = ProtoField.uint16("cc51.body_length", "Body length"),
  c_direction = ProtoField.uint16("cc51.direction", "Direction", base.HEX),
  c_step = ProtoField.uint16("cc51.step", "Step"),
  c_channel = ProtoField.uint8("cc51.channel", "Channel"),
  c_ticket = ProtoField.bytes("cc51.ticket", "Ticket"),
  c_sid = ProtoField.bytes("cc51.sid", "Session id"),
  c_counter = ProtoField.uint32("cc51.counter", "Counter"),
  c_hmac = ProtoField.bytes("cc51.hmac", "HMAC"),
}
local a = {
  code = ProtoField.uint16("av.code", "Code", base.HEX, {
    [0x0000] = "login 1", [0x2000] = "login 2", [0x2100] = "login response", [0x0009] = "acknowledgement",
    [0x080a] = "statistics request", [0x000b] = "statistics reply", [0x1000] = "channel message",
    [0x7000] = "IOCTRL", [0x7100] = "acknowledgement of an IOCTRL", [0x1400] = "login response", [0x0301] = "media",
    [0x0401] = "frame in one packet", [0x1200] = "talk negotiation", [0x1300] = "talk negotiation",
    [0x0700] = "time synchronisation", [0x0800] = "time synchronisation", [0x0901] = "time synchronisation",
    [0x0a01] = "time synchronisation" }),
  type = ProtoField.uint8("av.type", "Type", base.HEX),
  flags = ProtoField.uint8("av.flags", "Flags", base.HEX),
  sequence = ProtoField.uint16("av.sequence", "Sequence"),
  inner_type = ProtoField.uint8("av.inner_type", "Inner type", base.HEX),
  counter = ProtoField.uint16("av.counter", "Counter"),
  total = ProtoField.uint16("av.total", "Packets"),
  index = ProtoField.uint16("av.index", "Index"),
  info_length = ProtoField.uint16("av.info_length", "FRAMEINFO length"),
  payload_length = ProtoField.uint16("av.payload_length", "Payload length"),
  current = ProtoField.uint32("av.current", "Frame"),
  highest = ProtoField.uint16("av.highest", "Highest media counter"),
  ordinal = ProtoField.uint16("av.ordinal", "Ordinal"),
  codec = ProtoField.uint16("frameinfo.codec", "Codec", base.HEX),
  frame_length = ProtoField.uint32("frameinfo.length", "Frame length"),
  number = ProtoField.uint32("frameinfo.number", "Frame number"),
  hl_version = ProtoField.uint8("hl.version", "Protocol version"),
  hl_code = ProtoField.uint16("hl.code", "K-command"),
  hl_length = ProtoField.uint32("hl.length", "Payload length"),
}
local e = {
  length = ProtoExpert.new("tutk.bad_length", "The header's length is not the packet's", expert.group.MALFORMED, expert.severity.ERROR),
  unknown = ProtoExpert.new("tutk.unknown", "This command is not known", expert.group.UNDECODED, expert.severity.WARN),
  short = ProtoExpert.new("tutk.short", "The packet ends before its command's fields", expert.group.MALFORMED, expert.severity.ERROR),
}
local function values(t) local all = {} for _, v in pairs(t) do all[#all + 1] = v end return all end
tutk.fields = values(f)
tutk.experts = values(e)
av.fields = values(a)

-- TransCode -------------------------------------------------------------------------------------------------------

local KEY = { string.byte("Charlie is the d", 1, 16) }
-- From 1, as Lua counts: the byte that comes to this place. It is its own inverse.
local PLACES = { 12, 10, 9, 16, 14, 11, 13, 15, 3, 2, 6, 1, 7, 5, 8, 4 }
local TAILS = { [2] = { 2, 1 }, [4] = { 3, 4, 1, 2 }, [8] = { 8, 5, 4, 3, 2, 7, 6, 1 } }
local XOR = bit.bxor

-- Rotates each of the four little-endian words of the block left, by its own count.
local function rotate(b, counts)
  for w = 0, 3 do
    local i = 4 * w
    local word = bit.bor(b[i + 1], bit.lshift(b[i + 2], 8), bit.lshift(b[i + 3], 16), bit.lshift(b[i + 4], 24))
    word = bit.rol(word, counts[w + 1])
    for j = 0, 3 do b[i + j + 1] = bit.band(bit.rshift(word, 8 * j), 0xff) end
  end
end

local function decode_block(b)
  rotate(b, { 3, 7, 11, 15 })
  local out = {}
  for i = 1, 16 do out[i] = XOR(b[PLACES[i]], KEY[i]) end
  rotate(out, { 1, 5, 9, 13 })
  return out
end

local function take(buffer, from, n)
  local bytes = {}
  for i = 0, n - 1 do bytes[i + 1] = buffer(from + i, 1):uint() end
  return bytes
end

-- The packet in clear, as a ByteArray, or nil.
local function transcode(buffer)
  local n = buffer:len()
  if n < 16 then return nil end
  local plain = decode_block(take(buffer, 0, 16))
  if plain[1] ~= 0x04 or plain[2] ~= 0x02 then return nil end
  local coded = n
  if plain[4] % 2 == 1 and n > 64 then coded = 64 end
  local at = 16
  while at + 16 <= coded do
    for _, byte in ipairs(decode_block(take(buffer, at, 16))) do plain[#plain + 1] = byte end
    at = at + 16
  end
  local tail = take(buffer, at, coded - at)
  local places = TAILS[#tail]
  for i = 1, #tail do plain[#plain + 1] = XOR(tail[places and places[i] or i], KEY[i]) end
  local out = ByteArray.new()
  out:set_size(n)
  for i = 1, coded do out:set_index(i - 1, plain[i]) end
  for i = coded, n - 1 do out:set_index(i, buffer(i, 1):uint()) end
  return out
end

-- AV --------------------------------------------------------------------------------------------------------------

local function hl(buffer, tree)
  if buffer:len() < 16 or buffer(0, 2):string() ~= "HL" then return nil end
  local code = buffer(4, 2):le_uint()
  local sub = tree:add(av, buffer(), "K-command K" .. code)
  sub:add_le(a.hl_version, buffer(2, 1))
  sub:add_le(a.hl_code, buffer(4, 2))
  sub:add_le(a.hl_length, buffer(6, 4))
  return "K" .. code
end

local function frame_info(buffer, tree)
  if buffer:len() < 16 then return end
  local sub = tree:add(av, buffer(), "FRAMEINFO")
  sub:add_le(a.codec, buffer(0, 2))
  if buffer:len() >= 24 then
    sub:add_le(a.frame_length, buffer(16, 4))
    sub:add_le(a.number, buffer(20, 4))
  end
end

local function streamed(buffer, tree)
  local kind, flags = buffer(0, 1):uint(), buffer(1, 1):uint()
  tree:add(a.type, buffer(0, 1))
  tree:add(a.flags, buffer(1, 1))
  tree:add_le(a.sequence, buffer(4, 2))
  local at = 8
  if kind == 0x0c then at = at + 8 end
  if bit.band(flags, 8) ~= 0 then at = at + 8 end
  if buffer:len() < at + 20 then return "cut off" end
  local inner, sub = buffer(at, 1):uint(), buffer(at + 1, 1):uint()
  local media = inner >= 3 and inner <= 8
  local last = media and bit.band(bit.bor(flags, sub), 1) ~= 0
  tree:add(a.inner_type, buffer(at, 1))
  tree:add_le(a.counter, buffer(at + 2, 2))
  tree:add_le(a.total, buffer(at + 4, 2))
  tree:add_le(last and a.info_length or a.index, buffer(at + 6, 2))
  tree:add_le(a.payload_length, buffer(at + 8, 2))
  tree:add_le(a.current, buffer(at + 16, 4))
  local size, field = buffer(at + 8, 2):le_uint(), buffer(at + 6, 2):le_uint()
  at = at + 20
  if buffer:len() < at + size then return "cut off" end
  if media then
    if last and field <= size and field > 0 then frame_info(buffer(at + size - field, field):tvb(), tree) end
    return (inner < 5 and "audio" or "video") .. " " .. buffer(at - 4, 4):le_uint()
  end
  if inner == 0 and sub == 0x70 and size > 4 and field == 0 then
    return hl(buffer(at + 4, size - 4):tvb(), tree) or "IOCTRL"
  end
  return inner == 0x0c and "parity" or "IOCTRL"
end

-- The oldest form, of firmware without DTLS: a header of 24 bytes in front of everything. An IOCTRL is told from one of the
-- later form by its length.
local OLDEST = { [0x7100] = true, [0x1400] = true, [0x0301] = true, [0x0401] = true, [0x1200] = true, [0x1300] = true,
  [0x0700] = true, [0x0800] = true, [0x0901] = true, [0x0a01] = true }

local function is_oldest(buffer, code)
  if buffer:len() < 24 then return false end
  if code == 0x7000 then return buffer:len() == 24 + buffer(16, 2):le_uint() end
  return OLDEST[code] ~= nil
end

local function oldest(buffer, tree, code)
  tree:add_le(a.code, buffer(0, 2))
  tree:add_le(a.sequence, buffer(4, 2))
  tree:add_le(a.index, buffer(12, 2))
  tree:add_le(a.info_length, buffer(14, 2))
  tree:add_le(a.payload_length, buffer(16, 2))
  local data, index = buffer(8, 4):le_uint(), buffer(12, 2):le_uint()
  local info, size = buffer(14, 2):le_uint(), buffer(16, 2):le_uint()
  if buffer:len() < 24 + size then return "cut off" end
  if code == 0x7000 and size > 4 then return hl(buffer(28, size - 4):tvb(), tree) or "IOCTRL" end
  if code == 0x0401 and info > 0 and info <= size then
    frame_info(buffer(24, info):tvb(), tree)
  elseif code == 0x0301 then
    local here = math.min(math.max(data - 1024 * index, 0), size)
    local at, behind = 24 + here, size - here
    -- A FRAMEINFO that lies across two packets is not put together.
    if behind > 0 and behind >= info then
      if behind > 8 and buffer(at, 4):string() == "ODUA" then at, behind = at + 8, behind - 8 end
      frame_info(buffer(at, behind):tvb(), tree)
    end
  end
  return nil
end

function av.dissector(buffer, pinfo, tree)
  if buffer:len() < 8 then return 0 end
  local sub = tree:add(av, buffer())
  local kind, code = buffer(0, 1):uint(), buffer(0, 2):le_uint()
  local what
  if is_oldest(buffer, code) then
    what = oldest(buffer, sub, code)
  elseif kind == 0x0c or (kind >= 3 and kind <= 8) or code == 0x7000 or code == 0x7800 then
    what = streamed(buffer, sub)
  else
    sub:add_le(a.code, buffer(0, 2))
    if code == 0x0009 and buffer:len() >= 20 then
      sub:add_le(a.sequence, buffer(4, 2))
      sub:add_le(a.highest, buffer(10, 2))
      sub:add_le(a.ordinal, buffer(18, 2))
      what = "acknowledgement"
    end
  end
  pinfo.cols.info:append(what and (" " .. what) or string.format(" AV %04x", code))
  return buffer:len()
end

-- IOTC ------------------------------------------------------------------------------------------------------------

local dtls = Dissector.get("dtls")

-- What a data packet carries. A redacted recording gives records in clear, under the epoch 65535.
local function carried(buffer, pinfo, tree)
  if buffer:len() == 0 then return end
  local first = buffer(0, 1):uint()
  if first < 20 or first > 23 or buffer:len() < 13 then
    av.dissector(buffer, pinfo, tree)
    return
  end
  local at = 0
  while buffer:len() >= at + 13 and buffer(at + 3, 2):uint() ~= 0xffff do
    at = at + 13 + buffer(at + 11, 2):uint()
  end
  if buffer:len() < at + 13 then
    dtls:call(buffer, pinfo, tree)
    return
  end
  while buffer:len() >= at + 13 do
    local size = math.min(buffer(at + 11, 2):uint(), buffer:len() - at - 13)
    if buffer(at, 1):uint() == 23 and size > 0 then av.dissector(buffer(at + 13, size):tvb(), pinfo, tree) end
    at = at + 13 + size
  end
end

local function older(buffer, pinfo, tree)
  local plain = transcode(buffer)
  if not plain then return 0 end
  local n = buffer:len()
  local clear = plain:tvb("TransCode undone")
  pinfo.cols.protocol = "IOTC"
  local sub = tree:add(tutk, clear(), "IOTC")
  sub:add(f.version, clear(2, 1))
  sub:add(f.mode, clear(3, 1))
  local length = sub:add_le(f.body_length, clear(4, 2))
  if clear(4, 2):le_uint() ~= n - 16 then length:add_proto_expert_info(e.length) end
  sub:add_le(f.sequence, clear(6, 2))
  local command = clear(8, 2):le_uint()
  local item = sub:add_le(f.command, clear(8, 2))
  sub:add_le(f.flags, clear(10, 2))
  pinfo.cols.info = string.format("IOTC %04x", command)
  if (command == 0x0407 or command == 0x0408) and n >= 28 then
    sub:add(f.channel, clear(14, 1))
    sub:add(f.sid, clear(20, 8))
    if n > 28 then carried(clear(28):tvb(), pinfo, tree) end
  elseif command == 0x0601 and n >= 68 then
    sub:add(f.sid, clear(56, 8))
    sub:add(f.stage, clear(64, 1))
  elseif command == 0x0602 and n >= 36 then
    -- Shorter ones than the usual 200 bytes hold no session id.
    if n >= 196 then sub:add(f.sid, clear(188, 8)) end
  elseif (command == 0x0401 or command == 0x0402 or command == 0x0404) and n >= 44 then
    sub:add(f.sid, clear(36, 8))
  elseif (command == 0x0427 or command == 0x0428 or command == 0x0417 or command == 0x0418) and n >= 24 then
    sub:add(f.token, clear(16, 8))
  elseif not COMMANDS[command] then
    item:add_proto_expert_info(e.unknown)
  else
    item:add_proto_expert_info(e.short)
  end
  return n
end

local function newer(buffer, pinfo, tree)
  local n = buffer:len()
  if n < 12 then return 0 end
  pinfo.cols.protocol = "CC51"
  local sub = tree:add(tutk, buffer(), "IOTC, 0xCC51")
  local command = buffer(4, 2):le_uint()
  local item = sub:add_le(f.c_command, buffer(4, 2))
  local length = sub:add_le(f.c_body_length, buffer(6, 2))
  if buffer(6, 2):le_uint() ~= n - 12 then length:add_proto_expert_info(e.length) end
  sub:add_le(f.c_direction, buffer(8, 2))
  pinfo.cols.info = string.format("CC51 %04x", command)
  if command == 0x1002 and n >= 52 then
    sub:add_le(f.c_step, buffer(12, 2))
    sub:add(f.c_ticket, buffer(14, 2))
    sub:add(f.c_sid, buffer(16, 8))
    sub:add(f.c_hmac, buffer(32, 20))
  elseif command == 0x1502 and n >= 48 then
    sub:add(f.c_channel, buffer(13, 1))
    sub:add(f.c_ticket, buffer(14, 2))
    sub:add(f.c_sid, buffer(16, 8))
    sub:add(f.c_hmac, buffer(n - 20, 20))
    if n > 48 then carried(buffer(28, n - 48):tvb(), pinfo, tree) end
  elseif command == 0x1202 and n >= 48 then
    sub:add_le(f.c_counter, buffer(16, 4))
    sub:add(f.c_sid, buffer(20, 8))
    sub:add(f.c_hmac, buffer(28, 20))
  elseif not C_COMMANDS[command] then
    item:add_proto_expert_info(e.unknown)
  elseif command ~= 0x1302 then
    -- (What is in a close is not known.)
    item:add_proto_expert_info(e.short)
  end
  return n
end

function tutk.dissector(buffer, pinfo, tree)
  if buffer:len() >= 2 and buffer(0, 2):uint() == 0x51cc then return newer(buffer, pinfo, tree) end
  return older(buffer, pinfo, tree)
end

-- Cameras answer from ports of their own choice, so every UDP datagram is looked at.
tutk:register_heuristic("udp", function(buffer, pinfo, tree)
  return tutk.dissector(buffer, pinfo, tree) > 0
end)
-- What DTLS decrypts: "Decode as" of DTLS, or the preference below.
DissectorTable.get("dtls.port"):add_for_decode_as(av)
DissectorTable.get("dtls.port"):add(32761, av)
