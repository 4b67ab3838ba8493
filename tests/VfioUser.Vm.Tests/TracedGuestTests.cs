using FluentAssertions;
using VfioUser.Tool;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests;

/// <summary>The tool between QEMU and the GPIO card.</summary>
public class TracedGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["gpio-pci-idio-16"], programs: ["gpioget", "gpioset", "gpiomon"]);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    [VmFact]
    public async Task A_guest_works_through_a_trace_and_its_recording_can_be_replayed()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-trace-");
        string socket = Path.Combine(folder.FullName, "trace.sock");
        string recording = Path.Combine(folder.FullName, "boot.rec");
        using CancellationTokenSource stop = new();
        await using (ServedCard served = new())
        {
            using FirstLine output = new();
            Task<int> tracing = Task.Factory.StartNew(() => Run(output, stop.Token, "trace", socket, served.SocketPath, "--record", recording),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            (await output.Come.WaitAsync(Timeout)).Should().Contain("listening");
            await using (VirtualMachine machine = await VirtualMachine.Start(Guest, socket))
            {
                await machine.Output("gpioset -t 0 OUT0=1 OUT3=1");
                await served.WaitForOutputs(0x0009);
            }
            await stop.CancelAsync();
            (await tracing.WaitAsync(Timeout)).Should().Be(0);
        }
        await using ServedCard another = new();

        using StringWriter replayed = new() { NewLine = "\n" };
        int exitCode = Run(replayed, CancellationToken.None, "replay", recording, another.SocketPath);

        replayed.ToString().Should().EndWith(" replies the same, 0 different\n");
        exitCode.Should().Be(0);
        another.Card.Outputs.Should().Be(0x0009);
        folder.Delete(recursive: true);
    }

    private static int Run(TextWriter output, CancellationToken stop, params string[] args) =>
        VfioUserTool.Run(args, new Terminal(output, output, Colors: false, stop));

    /// <summary>Tells when something was printed.</summary>
    private sealed class FirstLine : StringWriter
    {
        private readonly TaskCompletionSource<string> _come = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Come => _come.Task;

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            _come.TrySetResult(value ?? "");
        }
    }
}
