using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using VfioUser.Client;

namespace VfioUser.Tool.Tests;

/// <summary>Every program that serves tells on standard error what happens, and may be told to trust its client's memory.</summary>
public class ServingProgramsTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("Crc32c.dll serve SOCKET", false)]
    [InlineData("Crc32c.dll serve SOCKET --trust-client-memory", true)]
    [InlineData("Gpio.dll serve SOCKET", false)]
    [InlineData("Gpio.dll serve SOCKET --trust-client-memory", true)]
    [InlineData("Null.dll serve SOCKET", false)]
    [InlineData("Null.dll serve SOCKET --trust-client-memory", true)]
    [InlineData("E1000.dll serve SOCKET", false)]
    [InlineData("E1000.dll serve SOCKET --trust-client-memory", true)]
    [InlineData("Framebuffer.dll serve SOCKET --url http://127.0.0.1:0", false)]
    [InlineData("Framebuffer.dll serve SOCKET --url http://127.0.0.1:0 --trust-client-memory", true)]
    [InlineData("nvme.dll serve SOCKET --size 1M", false)]
    [InlineData("nvme.dll serve SOCKET --size 1M --trust-client-memory", true)]
    [InlineData("VfioUser.Tool.dll serve SOCKET DEVICE", false)]
    [InlineData("VfioUser.Tool.dll serve SOCKET DEVICE --trust-client-memory", true)]
    [InlineData("VfioUser.Tool.dll serve SOCKET DEVICE --trace", false)]
    [InlineData("VfioUser.Tool.dll serve SOCKET DEVICE --trace --trust-client-memory", true)]
    public void Clients_refusals_and_unmapped_memory_are_logged(string command, bool trusts)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-serving-");
        try
        {
            string socket = Path.Combine(folder.FullName, "device.sock");
            string device = Path.Combine(folder.FullName, "device.json");
            File.WriteAllText(device, ToolRun.Of("serve", "--example").Out);
            using Program program = new([.. command.Split(' ').Select(word => word switch { "SOCKET" => socket, "DEVICE" => device, _ => word })]);

            Use(program, socket, Path.Combine(folder.FullName, "memory"));

            program.ShouldTell("Client attached: process", "max_msg_fds");
            program.ShouldTell("DmaMap", "refused with EEXIST");
            program.ShouldTell("Client detached: process", "closed the connection");
            program.Said("is not mapped").Should().Be(!trusts);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Use(Program program, string socket, string memory)
    {
        using VfioUserClient client = program.Connect(socket);
        using SafeFileHandle file = File.OpenHandle(memory, FileMode.CreateNew, FileAccess.ReadWrite);
        RandomAccess.SetLength(file, 0x1000);
        client.MapDma(0x10000, 0x1000, file);
        client.Invoking(it => it.MapDma(0x10000, 0x1000, file)).Should().Throw<VfioUserException>();
    }

    private sealed class Program : IDisposable
    {
        private readonly List<string> _lines = [];
        private readonly Process _process;

        public Program(string[] args)
        {
            _process = Process.Start(SampleProgram.Of(args[0], args[1..]))!;
            _process.OutputDataReceived += (_, _) => { };
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_lines)
                {
                    _lines.Add(line.Data ?? "");
                    Monitor.PulseAll(_lines);
                }
            };
            _process.BeginErrorReadLine();
            _process.BeginOutputReadLine();
        }

        public bool Said(string what)
        {
            lock (_lines)
                return _lines.Exists(line => line.Contains(what, StringComparison.Ordinal));
        }

        public void ShouldTell(params string[] words)
        {
            long until = Environment.TickCount64 + (long)Bound.TotalMilliseconds;
            lock (_lines)
            {
                while (!_lines.Exists(line => Array.TrueForAll(words, word => line.Contains(word, StringComparison.Ordinal))))
                {
                    int left = (int)(until - Environment.TickCount64);
                    if (left <= 0 || !Monitor.Wait(_lines, left))
                        _lines.Should().Contain(line => Array.TrueForAll(words, word => line.Contains(word, StringComparison.Ordinal)));
                }
            }
        }

        /// <summary>A client, as soon as the program listens.</summary>
        public VfioUserClient Connect(string socket)
        {
            long until = Environment.TickCount64 + (long)Bound.TotalMilliseconds;
            while (true)
            {
                try
                {
                    return VfioUserClient.Connect(socket);
                }
                catch (IOException) when (!_process.HasExited && Environment.TickCount64 < until)
                {
                    Thread.Yield();
                }
            }
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
