using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;
using VfioUser.Tool;

using CancellationTokenSource stop = new();
using CancellationTokenSource outputClosed = new();
Terminal terminal = new(Console.Out, Console.Error, Terminal.WantsColors(), stop.Token) { OutputClosed = outputClosed.Token, Input = Console.IsInputRedirected ? Console.In : null, IsInteractive = !Console.IsOutputRedirected };
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
WatchOutput();
return VfioUserTool.Run(args, terminal);

// the first signal requests the command to end; a second one ends the process at once
void End(PosixSignalContext signal)
{
    if (signal.Signal == PosixSignal.SIGINT && terminal.Foreground.TryInterrupt())
    {
        signal.Cancel = true;
        return;
    }
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}

// .NET ignores a broken pipe on standard output, so a command that seldom writes would never notice that its reader has ended
void WatchOutput()
{
    if (!Console.IsOutputRedirected)
        return;
    new Thread(() =>
    {
        using SafeFileHandle output = new(1, ownsHandle: false);
        if (PollCalls.WaitForHangUp(output))
            outputClosed.Cancel();
    })
    { Name = "vfio-user output", IsBackground = true }.Start();
}
