-- Wireshark's dissector of captures by `vfio-user trace --pcapng`. Print it with `vfio-user trace --dissector`, and put it into
-- Wireshark's folder of Lua plugins, or give it to tshark: tshark -X lua_script:vfio-user.lua -r trace.pcapng
-- The frames, of link type USER0, are described in docs/trace-format.md.

local proto = Proto("vfio_user", "vfio-user")

local KIND = { [1] = "connected", [2] = "message", [3] = "no whole message", [4] = "disconnected", [5] = "names of registers" }
local FD_KIND = { [0] = "other", [1] = "memory", [2] = "eventfd", [3] = "socket", [4] = "file" }
local TYPE = { [0] = "command", [1] = "reply" }
local COMMAND = {
  [1] = "VERSION", [2] = "DMA_MAP", [3] = "DMA_UNMAP", [4] = "DEVICE_GET_INFO", [5] = "DEVICE_GET_REGION_INFO",
  [6] = "DEVICE_GET_REGION_IO_FDS", [7] = "DEVICE_GET_IRQ_INFO", [8] = "DEVICE_SET_IRQS", [9] = "REGION_READ", [10] = "REGION_WRITE",
  [11] = "DMA_READ", [12] = "DMA_WRITE", [13] = "DEVICE_RESET", [15] = "REGION_WRITE_MULTI", [16] = "DEVICE_FEATURE",
  [17] = "MIG_DATA_READ", [18] = "MIG_DATA_WRITE", [19] = "MIG_GET_PRECOPY_INFO",
}
local REGION = {
  [0] = "bar0", [1] = "bar1", [2] = "bar2", [3] = "bar3", [4] = "bar4", [5] = "bar5", [6] = "rom", [7] = "config", [8] = "vga",
}
local IRQ = { [0] = "intx", [1] = "msi", [2] = "msix", [3] = "err", [4] = "req" }
local FEATURE = {
  [1] = "MIGRATION", [2] = "MIG_DEVICE_STATE", [6] = "DMA_LOGGING_START", [7] = "DMA_LOGGING_STOP", [8] = "DMA_LOGGING_REPORT",
  [9] = "MIG_DATA_SIZE",
}
local ERRNO = {
  [1] = "EPERM", [2] = "ENOENT", [5] = "EIO", [9] = "EBADF", [11] = "EAGAIN", [12] = "ENOMEM", [13] = "EACCES", [14] = "EFAULT",
  [16] = "EBUSY", [17] = "EEXIST", [19] = "ENODEV", [22] = "EINVAL", [24] = "EMFILE", [25] = "ENOTTY", [28] = "ENOSPC", [34] = "ERANGE",
  [38] = "ENOSYS", [75] = "EOVERFLOW", [95] = "ENOTSUP", [110] = "ETIMEDOUT",
}

local f = {
  -- the frame
  kind = ProtoField.uint8("vfio_user.kind", "Kind", base.DEC, KIND),
  to_client = ProtoField.bool("vfio_user.to_client", "To the client", 8, nil, 0x01),
  twin = ProtoField.bool("vfio_user.twin", "On the twin socket", 8, nil, 0x02),
  client = ProtoField.uint32("vfio_user.client", "Client"),
  fds = ProtoField.uint16("vfio_user.fds", "Descriptors"),
  fd_kind = ProtoField.uint32("vfio_user.fd.kind", "Descriptor", base.DEC, FD_KIND),
  fd_size = ProtoField.uint64("vfio_user.fd.size", "Size of the file", base.HEX),
  -- the header
  id = ProtoField.uint16("vfio_user.id", "Message ID"),
  command = ProtoField.uint16("vfio_user.command", "Command", base.DEC, COMMAND),
  size = ProtoField.uint32("vfio_user.size", "Message size"),
  type = ProtoField.uint32("vfio_user.type", "Type", base.DEC, TYPE, 0xf),
  no_reply = ProtoField.bool("vfio_user.no_reply", "No reply", 32, nil, 0x10),
  is_error = ProtoField.bool("vfio_user.is_error", "Error", 32, nil, 0x20),
  errno = ProtoField.uint32("vfio_user.errno", "Errno", base.DEC, ERRNO),
  -- payloads
  version_major = ProtoField.uint16("vfio_user.version.major", "Major version"),
  version_minor = ProtoField.uint16("vfio_user.version.minor", "Minor version"),
  version_data = ProtoField.string("vfio_user.version.data", "Version data"),
  argsz = ProtoField.uint32("vfio_user.argsz", "Argsz"),
  flags = ProtoField.uint32("vfio_user.flags", "Flags", base.HEX),
  region = ProtoField.uint32("vfio_user.region", "Region", base.DEC, REGION),
  offset = ProtoField.uint64("vfio_user.offset", "Offset", base.HEX),
  count = ProtoField.uint64("vfio_user.count", "Count"),
  value = ProtoField.uint64("vfio_user.value", "Value", base.HEX),
  data = ProtoField.bytes("vfio_user.data", "Data"),
  register = ProtoField.string("vfio_user.register", "Register"),
  register_fields = ProtoField.string("vfio_user.register.fields", "Fields"),
  names = ProtoField.string("vfio_user.names", "Names"),
  address = ProtoField.uint64("vfio_user.address", "Address", base.HEX),
  length = ProtoField.uint64("vfio_user.length", "Size", base.HEX),
  regions = ProtoField.uint32("vfio_user.regions", "Number of regions"),
  irqs = ProtoField.uint32("vfio_user.irqs", "Number of interrupt types"),
  cap_offset = ProtoField.uint32("vfio_user.cap_offset", "Offset of capabilities", base.HEX),
  irq = ProtoField.uint32("vfio_user.irq", "Interrupt", base.DEC, IRQ),
  irq_start = ProtoField.uint32("vfio_user.irq.start", "First vector"),
  feature = ProtoField.uint32("vfio_user.feature", "Feature", base.DEC, FEATURE, 0xffff),
  feature_get = ProtoField.bool("vfio_user.feature.get", "Get", 32, nil, 0x10000),
  feature_set = ProtoField.bool("vfio_user.feature.set", "Set", 32, nil, 0x20000),
  feature_probe = ProtoField.bool("vfio_user.feature.probe", "Probe", 32, nil, 0x40000),
  -- what belongs together
  reply_in = ProtoField.framenum("vfio_user.reply_in", "Reply in", base.NONE, frametype.RESPONSE),
  reply_to = ProtoField.framenum("vfio_user.reply_to", "Reply to", base.NONE, frametype.REQUEST),
  latency = ProtoField.relative_time("vfio_user.latency", "Time since the command"),
}
proto.fields = f

local malformed = ProtoExpert.new("vfio_user.malformed", "Malformed message", expert.group.MALFORMED, expert.severity.ERROR)
proto.experts = { malformed }

-- commands without a reply yet by client, socket, direction and id; and pairs of frames. Filled in the first pass
local open, reply_of, command_of = {}, {}, {}

-- registers by region and offset, as the capture names them
local registers = {}

local function name(names, number)
  return names[number] or tostring(number)
end

-- of 64 bits: Lua's own numbers do not have all of them
local function hex(range)
  return "0x" .. (range:le_uint64():tohex():gsub("^0+(.)", "%1"))
end

local function decimal(range)
  return tostring(range:le_uint64())
end

-- adds fields of a structure one after the other, as far as the bytes go; returns what is left, or nil if it is cut off
local function structure(tree, rest, ...)
  local at = 0
  for _, field in ipairs({ ... }) do
    local width = field[2]
    if at + width > rest:len() then
      return nil
    end
    if field[1] then
      tree:add_le(field[1], rest:range(at, width))
    end
    at = at + width
  end
  return at < rest:len() and rest:range(at) or false
end

local function value(tree, rest)
  local length = rest:len()
  if length == 1 or length == 2 or length == 4 or length == 8 then
    tree:add_le(f.value, rest)
    return string.format(" = 0x%s", length == 8 and rest:le_uint64():tohex() or string.format("%0" .. 2 * length .. "x", rest:le_uint()))
  end
  tree:add(f.data, rest)
  return string.format(", %d bytes of data", length)
end

-- each returns text for the Info column, or nil if the payload is too short
local payload = {}

payload[1] = function(tree, rest)
  local data = structure(tree, rest, { f.version_major, 2 }, { f.version_minor, 2 })
  if data == nil then return nil end
  local text = string.format(" %d.%d", rest:range(0, 2):le_uint(), rest:range(2, 2):le_uint())
  if data then
    tree:add(f.version_data, data, data:stringz())
    text = text .. " " .. data:stringz()
  end
  return text
end

payload[2] = function(tree, rest, reply)
  if reply then return "" end
  if structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.offset, 8 }, { f.address, 8 }, { f.length, 8 }) == nil then return nil end
  return string.format(" %s + %s", hex(rest:range(16, 8)), hex(rest:range(24, 8)))
end

payload[3] = function(tree, rest)
  if structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.address, 8 }, { f.length, 8 }) == nil then return nil end
  return string.format(" %s + %s", hex(rest:range(8, 8)), hex(rest:range(16, 8)))
end

payload[4] = function(tree, rest)
  return structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.regions, 4 }, { f.irqs, 4 }) ~= nil and "" or nil
end

payload[5] = function(tree, rest)
  if structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.region, 4 }, { f.cap_offset, 4 }, { f.length, 8 }, { f.offset, 8 }) == nil then return nil end
  return " " .. name(REGION, rest:range(8, 4):le_uint())
end

payload[6] = function(tree, rest)
  if structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.region, 4 }, { f.count, 4 }) == nil then return nil end
  return " " .. name(REGION, rest:range(8, 4):le_uint())
end

payload[7] = function(tree, rest)
  if structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.irq, 4 }, { f.count, 4 }) == nil then return nil end
  return " " .. name(IRQ, rest:range(8, 4):le_uint())
end

payload[8] = function(tree, rest, reply)
  if reply then return "" end
  local data = structure(tree, rest, { f.argsz, 4 }, { f.flags, 4 }, { f.irq, 4 }, { f.irq_start, 4 }, { f.count, 4 })
  if data == nil then return nil end
  if data then tree:add(f.data, data) end
  return string.format(" %s, vectors from %d, %d of them", name(IRQ, rest:range(8, 4):le_uint()), rest:range(12, 4):le_uint(), rest:range(16, 4):le_uint())
end

-- a line for each register: region, offset, width, name; and after it one for each of its fields: nothing, first bit, width, name, and
-- names of values as NAME=VALUE; with tabs between
local function learn_registers(text)
  local register
  for line in text:gmatch("[^\n]+") do
    local words = {}
    for word in (line .. "\t"):gmatch("([^\t]*)\t") do words[#words + 1] = word end
    if words[1] ~= "" then
      local region = tonumber(words[1])
      register = { width = tonumber(words[3]), name = words[4], fields = {} }
      registers[region] = registers[region] or {}
      local offset = tonumber(words[2])
      registers[region][offset] = registers[region][offset] or register -- the first one: those of every PCI device
    elseif register then
      local field = { bit = tonumber(words[2]), width = tonumber(words[3]), name = words[4], members = {} }
      for i = 5, #words do
        local member, number = words[i]:match("^(.*)=(%d+)$")
        if member then field.members[number] = member end
      end
      table.insert(register.fields, field)
    end
  end
end

local CONFIG = [[@CONFIG@]]

function proto.init()
  open, reply_of, command_of, registers = {}, {}, {}, {}
  learn_registers(CONFIG)
end

-- the names of the registers that these bytes are of, and the register if they are all of one
local function registers_at(region, offset, count)
  local among = registers[region]
  if not among or count > 8 then return nil end
  if among[offset] and among[offset].width == count then return among[offset].name, among[offset] end
  local found = {}
  for back = 1, 7 do
    local before = among[offset - back]
    if before and before.width > back then
      found[1] = string.format("%s+%d", before.name, back)
      break
    end
  end
  for at = offset, offset + count - 1 do
    if among[at] then found[#found + 1] = among[at].name end
  end
  return #found > 0 and table.concat(found, " ") or nil
end

-- the fields that are not 0, or whose values have names
local function fields_of(register, data)
  local value = data:len() == 8 and data:le_uint64() or UInt64(data:le_uint())
  local words = {}
  for _, field in ipairs(register.fields) do
    local number = tostring(value:rshift(field.bit):band(UInt64.max():rshift(64 - field.width)))
    if field.members[number] then
      words[#words + 1] = field.name .. "=" .. field.members[number]
    elseif number ~= "0" then
      words[#words + 1] = field.width == 1 and field.name or field.name .. "=" .. number
    end
  end
  return table.concat(words, " ")
end

-- adds what the capture says of these registers; returns it for the Info column
local function named(tree, region, offset, count, data)
  local names, register = registers_at(region, offset:tonumber(), count)
  if not names then return "" end
  tree:add(f.register, names):set_generated()
  local fields = register and data and data:len() == count and fields_of(register, data) or ""
  if fields == "" then return " " .. names end
  tree:add(f.register_fields, fields):set_generated()
  return string.format(" %s (%s)", names, fields)
end

local function access(tree, rest)
  local data = structure(tree, rest, { f.offset, 8 }, { f.region, 4 }, { f.count, 4 })
  if data == nil then return nil end
  local region, count = rest:range(8, 4):le_uint(), rest:range(12, 4):le_uint()
  local text = string.format(" %s+%s, %d bytes", name(REGION, region), hex(rest:range(0, 8)), count)
  if data then text = text .. value(tree, data) end
  return text .. named(tree, region, rest:range(0, 8):le_uint64(), count, data)
end
payload[9], payload[10] = access, access

local function dma(tree, rest, reply)
  if reply and rest:len() == 0 then return "" end
  local data = structure(tree, rest, { f.address, 8 }, { f.count, 8 })
  if data == nil then return nil end
  local text = string.format(" %s, %s bytes", hex(rest:range(0, 8)), decimal(rest:range(8, 8)))
  return data and text .. value(tree, data) or text
end
payload[11], payload[12] = dma, dma

payload[13] = function() return "" end

payload[15] = function(tree, rest, reply)
  local entries = structure(tree, rest, { f.count, 8 })
  if entries == nil then return nil end
  local text = string.format(" %s writes", decimal(rest:range(0, 8)))
  while entries and not reply do
    if entries:len() >= 24 then
      local count = entries:range(12, 4):le_uint()
      local data = count >= 1 and count <= 8 and entries:range(16, count) or nil
      text = text .. named(tree, entries:range(8, 4):le_uint(), entries:range(0, 8):le_uint64(), count, data)
    end
    entries = structure(tree, entries, { f.offset, 8 }, { f.region, 4 }, { f.count, 4 }, { f.value, 8 })
    if entries == nil then return nil end
  end
  return text
end

payload[16] = function(tree, rest)
  if rest:len() < 8 then return nil end
  tree:add_le(f.argsz, rest:range(0, 4))
  for _, field in ipairs({ f.feature, f.feature_get, f.feature_set, f.feature_probe }) do
    tree:add_le(field, rest:range(4, 4))
  end
  if rest:len() > 8 then tree:add(f.data, rest:range(8)) end
  return " " .. name(FEATURE, rest:range(4, 2):le_uint())
end

local function migration(tree, rest, reply)
  if reply and rest:len() == 0 then return "" end
  local data = structure(tree, rest, { f.argsz, 4 }, { f.count, 4 })
  if data == nil then return nil end
  if data then tree:add(f.data, data) end
  return string.format(" %d bytes", rest:range(4, 4):le_uint())
end
payload[17], payload[18] = migration, migration

local function key(frame, id, of_command)
  local way = frame.to_client and 1 or 0
  if not of_command then way = 1 - way end
  return string.format("%d/%s/%d/%d", frame.client, tostring(frame.twin), way, id)
end

-- pairs a reply with its command: each side numbers its own commands, on each socket
local function correlate(pinfo, frame, id, is_reply, no_reply)
  if pinfo.visited then return end
  if not is_reply then
    if not no_reply then open[key(frame, id, true)] = { number = pinfo.number, time = pinfo.rel_ts } end
    return
  end
  local command = open[key(frame, id, false)]
  if command then
    open[key(frame, id, false)] = nil
    reply_of[command.number] = pinfo.number
    command_of[pinfo.number] = command
  end
end

local function message(bytes, pinfo, tree, frame, reported)
  if bytes:len() < 16 then
    tree:add_proto_expert_info(malformed, "Fewer bytes than a header has")
    return "malformed"
  end
  local id, command = bytes:range(0, 2):le_uint(), bytes:range(2, 2):le_uint()
  local flags = bytes:range(8, 4):le_uint()
  local is_reply, no_reply, is_error = flags % 16 == 1, math.floor(flags / 16) % 2 == 1, math.floor(flags / 32) % 2 == 1
  tree:add_le(f.id, bytes:range(0, 2))
  tree:add_le(f.command, bytes:range(2, 2))
  tree:add_le(f.size, bytes:range(4, 4))
  for _, field in ipairs({ f.type, f.no_reply, f.is_error }) do
    tree:add_le(field, bytes:range(8, 4))
  end
  tree:add_le(f.errno, bytes:range(12, 4))
  correlate(pinfo, frame, id, is_reply, no_reply)
  if reply_of[pinfo.number] then tree:add(f.reply_in, reply_of[pinfo.number]):set_generated() end
  local before = command_of[pinfo.number]
  if before then
    tree:add(f.reply_to, before.number):set_generated()
    local nanoseconds = math.floor((pinfo.rel_ts - before.time) * 1e9 + 0.5)
    tree:add(f.latency, NSTime.new(math.floor(nanoseconds / 1e9), nanoseconds % 1000000000)):set_generated()
  end
  local info = string.format("%s #%d%s", name(COMMAND, command), id, is_reply and " reply" or no_reply and " posted" or "")
  if is_error then
    return string.format("%s: %s", info, name(ERRNO, bytes:range(12, 4):le_uint()))
  end
  if bytes:range(4, 4):le_uint() ~= reported then
    tree:add_proto_expert_info(malformed, "The header has another size than the message")
  end
  local decode = payload[command]
  if not decode then
    if bytes:len() > 16 then tree:add(f.data, bytes:range(16)) end
    return info
  end
  -- an empty range cannot be made: none for a payload of no bytes
  local rest = bytes:len() > 16 and bytes:range(16) or { len = function() return 0 end }
  local text = decode(tree, rest, is_reply)
  if text == nil then
    if rest:len() == 0 and is_reply then return info end
    tree:add_proto_expert_info(malformed, "The payload is shorter than its structure")
    return info .. " malformed"
  end
  return info .. text
end

function proto.dissector(buffer, pinfo, root)
  if buffer:len() < 12 or buffer(0, 1):uint() ~= 1 then return 0 end
  pinfo.cols.protocol = "vfio-user"
  local tree = root:add(proto, buffer())
  local kind, way = buffer(1, 1):uint(), buffer(2, 1):uint()
  local frame = { to_client = way % 2 == 1, twin = math.floor(way / 2) % 2 == 1, client = buffer(4, 4):le_uint() }
  local fds = buffer(8, 2):le_uint()
  tree:add(f.kind, buffer(1, 1))
  tree:add(f.to_client, buffer(2, 1))
  tree:add(f.twin, buffer(2, 1))
  tree:add_le(f.client, buffer(4, 4))
  tree:add_le(f.fds, buffer(8, 2))
  pinfo.cols.src = frame.to_client and "server" or string.format("client %d", frame.client)
  pinfo.cols.dst = frame.to_client and string.format("client %d", frame.client) or "server"
  local at = 12
  for _ = 1, fds do
    if at + 16 > buffer:len() then break end
    local fd = tree:add_le(f.fd_kind, buffer(at, 4))
    fd:add_le(f.fd_size, buffer(at + 8, 8))
    at = at + 16
  end
  local info
  if kind == 2 then
    info = at < buffer:len() and message(buffer(at), pinfo, tree, frame, buffer:reported_len() - at) or "malformed"
  elseif kind == 3 then
    if at < buffer:len() then tree:add(f.data, buffer(at)) end
    tree:add_proto_expert_info(malformed, "Bytes that are no whole message")
    info = "no whole message"
  elseif kind == 5 then
    if at < buffer:len() then
      local text = buffer(at):string()
      if not pinfo.visited then learn_registers(text) end
      tree:add(f.names, buffer(at), text)
    end
    info = name(KIND, kind)
  else
    info = string.format("client %d %s", frame.client, name(KIND, kind))
  end
  if fds > 0 then info = string.format("%s, %d fd", info, fds) end
  pinfo.cols.info = (frame.twin and "twin " or "") .. info
  return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
