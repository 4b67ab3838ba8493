using System.Runtime.InteropServices;
using VfioUser;

if (args is not ["serve", string path])
{
    Console.Error.WriteLine("""
        A device with nothing but an identity.

          null serve SOCKET    serves it until Ctrl-C
        """);
    return 2;
}

using CancellationTokenSource stop = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
try
{
    using VfioUserServer server = VfioUserServer.Bind(path);
    Console.WriteLine($"The device is on {path}. QEMU 10.1 or newer attaches it with");
    Console.WriteLine($"  -device '{{\"driver\":\"vfio-user-pci\",\"socket\":{{\"type\":\"unix\",\"path\":\"{Path.GetFullPath(path)}\"}}}}'");
    Console.WriteLine("Ctrl-C ends it.");
    server.Run(new NullDevice(), stop.Token);
    return 0;
}
catch (IOException e)
{
    Console.Error.WriteLine($"null: {e.Message}");
    return 1;
}

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
