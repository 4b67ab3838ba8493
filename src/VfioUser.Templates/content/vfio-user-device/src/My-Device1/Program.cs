using System.Runtime.InteropServices;
using My_Device1;
using VfioUser;

if (args is not [string socket])
{
    Console.Error.WriteLine("usage: My-Device1 SOCKET");
    return 2;
}

using CancellationTokenSource stop = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
try
{
    using VfioUserServer server = VfioUserServer.Bind(socket);
    Console.WriteLine($$$"""
        The device is on {{{socket}}}; Ctrl-C ends it. QEMU 10.1 or newer attaches it with

          qemu-system-x86_64 -machine q35,memory-backend=ram -m 512M \
            -object memory-backend-memfd,id=ram,size=512M,share=on \
            -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"{{{Path.GetFullPath(socket)}}}"}}' ...
        """);
    server.Run(new Card(), stop.Token);
    return 0;
}
catch (IOException e)
{
    Console.Error.WriteLine($"My-Device1: {e.Message}");
    return 1;
}

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
