using VfioUser;

string path = args.Length > 0 ? args[0] : Path.Combine(Path.GetTempPath(), "crc32c.sock");
using var server = VfioUserServer.Bind(path);
Console.WriteLine($"CRC-32C engine on {path}. Ctrl-C ends it.");
server.Run(new Crc32cDevice());
