using VfioUser;
using VfioUser.ColdServer;

// SOCKET [warm]: serves a device on it, after a warm-up if there is to be one
if (args is [_, "warm"])
    VfioUserServer.WarmUp();
using ColdDevice device = new();
using VfioUserServer server = VfioUserServer.Bind(args[0]);
server.Run(device);
