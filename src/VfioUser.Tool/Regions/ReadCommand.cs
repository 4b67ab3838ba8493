using System.CommandLine;
using System.Globalization;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user read</c>: reads a register as a number, or bytes as a dump or into a file.</summary>
internal static class ReadCommand
{
    // a longer read is most likely a mistake in the command line
    private const ulong MaxLength = 1 << 30;

    public static Command Create(Terminal terminal)
    {
        Command command = new("read", "Reads from a region");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<uint> region = RegionName.Argument();
        Argument<ulong> offset = Numbers.Argument("OFFSET", "First byte, relative to the region");
        Option<int> width = Width();
        Option<ulong?> length = Numbers.Option("--length", "Bytes to dump, in place of one value");
        Option<FileInfo?> output = new("--output") { Description = "Write the bytes to a file" };
        command.Add(region);
        command.Add(offset);
        command.Add(width);
        command.Add(length);
        command.Add(output);
        command.SetAction(parsed =>
        {
            ulong count = parsed.GetValue(length) ?? (ulong)parsed.GetValue(width);
            if (count is 0 or > MaxLength)
                throw new UsageException($"A length of {count} bytes cannot be read; 1 to {MaxLength} can.");
            using VfioUserClient client = server.Connect(parsed, terminal.Stop);
            byte[] bytes = new byte[count];
            RegionTransfer.Read(client, parsed.GetValue(region), parsed.GetValue(offset), bytes);
            if (parsed.GetValue(output) is { } file)
                File.WriteAllBytes(file.FullName, bytes);
            else if (parsed.GetValue(length) is not null)
                HexDump.Write(terminal.Out, parsed.GetValue(offset), bytes);
            else
                terminal.Out.WriteLine(Value(bytes));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>The width of an access: registers of PCI devices have 1, 2, 4 or 8 bytes.</summary>
    public static Option<int> Width()
    {
        Option<int> width = new("--width") { Description = "Bytes of the value: 1, 2, 4 or 8", DefaultValueFactory = _ => 4 };
        width.AcceptOnlyFromAmong("1", "2", "4", "8");
        return width;
    }

    private static string Value(ReadOnlySpan<byte> bytes)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        bytes.CopyTo(wide);
        ulong value = WireFormat.Read<ulong>(wide);
        return "0x" + value.ToString("x" + (2 * bytes.Length).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}
