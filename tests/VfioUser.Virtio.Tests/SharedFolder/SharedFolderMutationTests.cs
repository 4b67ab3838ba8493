using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace VfioUser.Virtio.Tests;

/// <summary>Whole sessions of drivers that send any request to a shared folder: nothing outside changes, descriptors are bounded, and a fresh
/// driver is served after each.</summary>
[SupportedOSPlatform("linux")]
public sealed class SharedFolderMutationTests
{
    private const int BuffersPerSession = 2048;
    private const int MaxFiles = 16;
    private static readonly string[] Names = ["file", "link", "folder", "a", "b", "c", "..", ".", "../secret", "", new('x', 255), new('y', 256)];

    // fewer of those that wait for a disk
    private static readonly NinePType[] Types = [.. Enum.GetValues<NinePType>().Where(static type => type is not (NinePType.Error or NinePType.Fsync))];

    [Fact]
    public void Thousands_of_wrong_buffers_hurt_nobody() => Run(sessions: 4);

    [Fact]
    [Trait("Category", "Long")]
    public void An_eighth_of_a_million_wrong_buffers_hurt_nobody() => Run(sessions: (125_000 / BuffersPerSession) + 1);

    private static void Run(int sessions)
    {
        for (int seed = 0; seed < sessions; seed++)
        {
            DirectoryInfo outside = Directory.CreateTempSubdirectory("shared-");
            try
            {
                Run(outside, seed);
            }
            finally
            {
                Delete(outside);
            }
        }
    }

    private static void Run(DirectoryInfo outside, int seed)
    {
        Random random = new(seed);
        string root = Directory.CreateDirectory(Path.Combine(outside.FullName, "root")).FullName;
        string secret = Path.Combine(outside.FullName, "secret");
        File.WriteAllText(secret, "secret");
        File.CreateSymbolicLink(Path.Combine(root, "link"), secret);
        File.CreateSymbolicLink(Path.Combine(root, "folder"), outside.FullName);
        UnixFileMode mode = File.GetUnixFileMode(secret);
        using VirtioSharedFolder device = new(root, new() { MaxFiles = MaxFiles });
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { MemorySize = 128 << 20 });
        WrongDriver driver = new(guest, random, receiving: [], answerLength: 4096);

        driver.Run(BuffersPerSession, _ => Message(random), () => device.Files.Should().BeLessThanOrEqualTo(MaxFiles));

        device.Files.Should().Be(0);
        File.ReadAllText(secret).Should().Be("secret");
        File.GetUnixFileMode(secret).Should().Be(mode);
        outside.EnumerateFileSystemInfos().Should().HaveCount(2);
        File.SetUnixFileMode(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NinePDriver fresh = new(guest);
        fresh.Call(NinePType.Mkdir, NinePDriver.Root, "still here", 0x1EDu, 0u);
        Directory.Exists(Path.Combine(root, "still here")).Should().BeTrue("the driver of session {0} is a fresh one", seed);
    }

    // Numbers and names that mean something, in any order, now and then after a new beginning.
    private static byte[] Message(Random random)
    {
        NinePType type = random.Next(8) switch
        {
            0 => NinePType.Attach,
            1 => NinePType.Walk,
            _ => Types[random.Next(Types.Length)],
        };
        List<byte> body = [];
        if (type == NinePType.Version)
            Add(body, 8192u, "9P2000.L");
        else if (type == NinePType.Attach)
            Add(body, (uint)random.Next(4), uint.MaxValue, "guest", "", 0u);
        else if (type == NinePType.Walk)
            Add(body, (uint)random.Next(8), (uint)random.Next(8), (ushort)1, Names[random.Next(Names.Length)]);
        else
            AddAny(body, random);
        return [.. BitConverter.GetBytes(7 + body.Count), (byte)type, 1, 0, .. body];
    }

    private static void AddAny(List<byte> body, Random random)
    {
        Add(body, (uint)random.Next(8));
        for (int i = random.Next(5); i > 0; i--)
        {
            Add(body, random.Next(5) switch
            {
                0 => (object)(uint)random.Next(8),
                1 => (ulong)random.Next(2000),
                2 => (uint)random.Next(1 << 12),
                _ => Names[random.Next(Names.Length)],
            });
        }
    }

    private static void Add(List<byte> body, params ReadOnlySpan<object> fields)
    {
        foreach (object field in fields)
        {
            body.AddRange(field switch
            {
                ushort value => BitConverter.GetBytes(value),
                uint value => BitConverter.GetBytes(value),
                ulong value => BitConverter.GetBytes(value),
                _ => [.. BitConverter.GetBytes((ushort)((string)field).Length), .. Encoding.ASCII.GetBytes((string)field)],
            });
        }
    }

    // The guest may have taken the rights to its folders, and its names may be no UTF-8.
    private static void Delete(DirectoryInfo folder)
    {
        Run("chmod", "-R", "u+rwx", folder.FullName);
        Run("rm", "-r", folder.FullName);
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.Should().Be(0);
    }
}
