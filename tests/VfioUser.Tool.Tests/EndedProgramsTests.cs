using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Tool.Tests;

/// <summary>Every program that serves ends on Ctrl-C and SIGTERM, with exit code 0, and leaves no socket.</summary>
public class EndedProgramsTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("INT", "Crc32c.dll serve SOCKET")]
    [InlineData("TERM", "Gpio.dll serve SOCKET")]
    [InlineData("INT", "E1000.dll serve SOCKET")]
    [InlineData("INT", "nvme.dll serve SOCKET --size 1M")]
    [InlineData("INT", "VfioUser.Tool.dll serve SOCKET DEVICE")]
    [InlineData("INT", "Framebuffer.dll serve SOCKET --url http://127.0.0.1:0")]
    [InlineData("TERM", "Framebuffer.dll serve SOCKET --url http://127.0.0.1:0")]
    [InlineData("INT", "Framebuffer.dll demo --url http://127.0.0.1:0")]
    [InlineData("TERM", "Framebuffer.dll demo --url http://127.0.0.1:0")]
    public async Task A_signal_ends_it(string signal, string command)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-ended-");
        string device = Path.Combine(folder.FullName, "device.json");
        File.WriteAllText(device, ToolRun.Of("serve", "--example").Out);
        string[] args = [.. command.Split(' ').Select(word => word switch { "SOCKET" => Path.Combine(folder.FullName, "device.sock"), "DEVICE" => device, _ => word })];
        ProcessStartInfo start = SampleProgram.Of(args[0], args[1..]);
        start.Environment["TMPDIR"] = folder.FullName; // of the demo's socket
        using Process program = Process.Start(start)!;
        try
        {
            using CancellationTokenSource bound = new(Bound);
            // it listens when it says its first line
            (await program.StandardOutput.ReadLineAsync(bound.Token)).Should().NotBeNull();
            Directory.GetFiles(folder.FullName, "*.sock").Should().ContainSingle();
            Task<string> rest = program.StandardOutput.ReadToEndAsync(bound.Token);
            Task<string> error = program.StandardError.ReadToEndAsync(bound.Token);

            using (Process kill = Process.Start("kill", ["-" + signal, program.Id.ToString(CultureInfo.InvariantCulture)]))
                await kill.WaitForExitAsync(bound.Token);
            await program.WaitForExitAsync(bound.Token);

            program.ExitCode.Should().Be(0, await rest + await error);
            Directory.GetFiles(folder.FullName, "*.sock").Should().BeEmpty();
        }
        finally
        {
            program.Kill();
            folder.Delete(recursive: true);
        }
    }
}
