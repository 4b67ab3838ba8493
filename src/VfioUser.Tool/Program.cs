using System.Runtime.InteropServices;
using VfioUser.Tool;

using CancellationTokenSource stop = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
Terminal terminal = new(Console.Out, Console.Error, Terminal.WantsColors(), stop.Token);
return VfioUserTool.Run(args, terminal);

// the second signal, for one who waits for a server that does not answer, ends it at once
void End(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}
