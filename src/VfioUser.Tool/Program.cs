using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;
using VfioUser.Tool;

using CancellationTokenSource stop = new();
using CancellationTokenSource unheard = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
Terminal terminal = new(Console.Out, Console.Error, Terminal.WantsColors(), stop.Token) { Unheard = unheard.Token };
WatchOutput();
return VfioUserTool.Run(args, terminal);

// the second signal, for one who waits for a server that does not answer, ends it at once
void End(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}

// the runtime takes a pipe that nobody reads for no mistake, so that who writes seldom would never hear of it
void WatchOutput()
{
    if (!Console.IsOutputRedirected)
        return;
    new Thread(() =>
    {
        using SafeFileHandle output = new(1, ownsHandle: false);
        if (PollCalls.WaitForHangUp(output))
            unheard.Cancel();
    })
    { Name = "vfio-user output", IsBackground = true }.Start();
}
