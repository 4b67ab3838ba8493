using System.CommandLine;
using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Irqs;

/// <summary><c>vfio-user irq</c>: waits for interrupts, prints and counts them.</summary>
internal static class IrqCommand
{
    // the maximum of MSI-X
    private const uint MaxVectors = 2048;

    private const double LongestTimeout = 1e9;

    // after this long without an interrupt a command checks that the server is still there
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    public static Command Create(Terminal terminal)
    {
        Command command = new("irq", "Waits for interrupts and counts them");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<uint> irq = IrqName.Argument();
        Option<ulong?> count = Numbers.Option("--count", "End after that many; without it, Ctrl-C ends it");
        Option<double?> timeout = new("--timeout") { Description = "Seconds after which it ends; a failure if --count were not signalled by then" };
        Option<bool> unmask = new("--unmask") { Description = "Unmask each vector after its interrupt, for types that mask themselves, as INTx" };
        command.Add(irq);
        command.Add(count);
        command.Add(timeout);
        command.Add(unmask);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(timeout) is { } seconds and not (>= 0 and < LongestTimeout))
                throw new UsageException("--timeout takes seconds from 0 on.");
            using CancellationTokenSource end = terminal.UntilEnded();
            using VfioUserClient client = server.Connect(parsed, end.Token);
            uint index = parsed.GetValue(irq);
            IrqInfo info = client.GetIrqInfo(index);
            if (info.Count == 0)
                throw new ToolException($"The device has no {IrqName.Of(index)}; the command 'info' lists its interrupts.");
            if (info.Count > MaxVectors)
                throw new ToolException($"The device has {info.Count} vectors of {IrqName.Of(index)}; 1 to {MaxVectors} can be waited for.");
            using IrqVectors vectors = new(client, index, info.Count, end.Token);
            if (parsed.GetValue(unmask) && (info.Flags & IrqInfoFlags.Maskable) == 0)
                throw new ToolException($"{IrqName.Of(index)} of this device cannot be unmasked.");
            return Watch(terminal, client, vectors, parsed.GetValue(unmask), parsed.GetValue(count), parsed.GetValue(timeout), end.Token);
        });
        return command;
    }

    private static int Watch(Terminal terminal, VfioUserClient client, IrqVectors vectors, bool unmask, ulong? count, double? timeout,
        CancellationToken ended)
    {
        Stopwatch time = Stopwatch.StartNew();
        TimeSpan end = timeout is { } seconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.MaxValue;
        ulong total = 0;
        terminal.Out.WriteLine("waiting");
        try
        {
            while (!ended.IsCancellationRequested && time.Elapsed < end && !(total >= count))
            {
                TimeSpan left = end - time.Elapsed;
                if (!vectors.Wait(left < CheckInterval ? left : CheckInterval))
                {
                    client.GetDeviceInfo();
                    continue;
                }
                foreach ((int vector, ulong times) in vectors.Take())
                {
                    total += times;
                    terminal.Out.WriteLine($"{time.Elapsed.TotalSeconds,10:f3}  vector {vector}  x{times}");
                    if (unmask)
                        vectors.Unmask(vector);
                }
            }
            // after Ctrl-C just disconnect: the server drops the eventfds
            if (!ended.IsCancellationRequested)
                vectors.Disable();
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // Ctrl-C during a command
            client.Dispose();
        }
        terminal.Out.WriteLine($"{total} interrupts");
        return !(total < count) ? ExitCode.Success : ended.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Failure;
    }
}
