using System.Globalization;
using VfioUser.Protocol;
using VfioUser.Testing;
using VfioUser.Tool.Irqs;
using VfioUser.Tool.Regions;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Shell;

/// <summary>A number of a device that a command reads: a register or field by name, bytes of a region, or how often an interrupt came.</summary>
internal abstract class Target
{
    public abstract string Name { get; }

    /// <summary>Takes a target: NAME, REGION OFFSET [WIDTH], or irq TYPE [VECTOR].</summary>
    /// <param name="session">Knows the names.</param>
    /// <param name="words">The line.</param>
    /// <param name="then">Words that have to follow: 4 alone is a value then, and no width.</param>
    /// <exception cref="UsageException">It is none.</exception>
    /// <exception cref="ToolException">There is no such register.</exception>
    public static Target Take(ShellSession session, Words words, int then = 0)
    {
        if (words.TryTake("irq"))
            return new IrqTarget(session, IrqTarget.TakeVector(session, words));
        string name = words.Take("The name of a register, or a region");
        if (!RegionName.TryParse(name, out uint region))
            return new RegisterTargetOf(session, session.Names.Find(name));
        ulong offset = session.TakeNumber(words, "OFFSET");
        return new RegionTarget(session, region, offset, (words.Left > then ? TakeWidth(words) : null) ?? sizeof(uint));
    }

    /// <summary>Takes the width of an access, if one follows.</summary>
    public static int? TakeWidth(Words words)
    {
        foreach (string width in new[] { "1", "2", "4", "8" })
        {
            if (words.TryTake(width))
                return width[0] - '0';
        }
        return null;
    }

    /// <summary>Reads what it is part of: of a field, the register.</summary>
    public abstract ulong Read();

    /// <summary>Its part of what was read.</summary>
    public virtual ulong Of(ulong read) => read;

    /// <summary>Its part of what was read, as text.</summary>
    public abstract string Describe(ulong read);

    /// <summary>A value of it, from its text.</summary>
    public abstract ulong Parse(string text);

    /// <summary>Writes it.</summary>
    /// <returns>What was done.</returns>
    public abstract string Write(string text);

    /// <summary>Writes it without waiting for a reply.</summary>
    public abstract void Post(string text);

    /// <summary>A register or field by name.</summary>
    private sealed class RegisterTargetOf(ShellSession session, RegisterTarget target) : Target
    {
        public override string Name => target.Name;

        public override ulong Read() => target.Read(session.Client);

        public override ulong Of(ulong read) => target.Of(read);

        public override string Describe(ulong read) => target.Describe(read);

        public override ulong Parse(string text) => target.Parse(Resolved(text));

        public override string Write(string text) => WriteCommand.WriteRegister(session.Client, target, Resolved(text));

        public override void Post(string text)
        {
            if (target.Field is not null)
                throw new UsageException("A field is read before it is written, and so cannot be posted. Post the whole register.");
            Span<byte> wide = stackalloc byte[sizeof(ulong)];
            WireFormat.Write(wide, Parse(text));
            session.Client.PostRegionWrite(target.Register.Region, target.Register.Offset, wide[..target.Register.Width]);
        }

        private string Resolved(string text) =>
            text.Contains('$', StringComparison.Ordinal) ? "0x" + session.NumberOf(text).ToString("x", CultureInfo.InvariantCulture) : text;
    }

    /// <summary>Bytes of a region.</summary>
    private sealed class RegionTarget(ShellSession session, uint region, ulong offset, int width) : Target
    {
        public override string Name => $"{RegionName.Of(region)} 0x{offset:x}";

        public override ulong Read()
        {
            Span<byte> wide = stackalloc byte[sizeof(ulong)];
            wide.Clear();
            RegionTransfer.Read(session.Client, region, offset, wide[..width]);
            return WireFormat.Read<ulong>(wide);
        }

        public override string Describe(ulong read) => "0x" + read.ToString(string.Create(CultureInfo.InvariantCulture, $"x{2 * width}"), CultureInfo.InvariantCulture);

        public override ulong Parse(string text)
        {
            ulong value = session.NumberOf(text);
            return width == sizeof(ulong) || value >> (8 * width) == 0 ? value
                : throw new UsageException($"0x{value:x} does not fit into {width} {(width == 1 ? "byte" : "bytes")}; a width of 1, 2, 4 or 8 may follow the offset.");
        }

        public override string Write(string text)
        {
            ulong value = Parse(text);
            Span<byte> wide = stackalloc byte[sizeof(ulong)];
            WireFormat.Write(wide, value);
            RegionTransfer.Write(session.Client, region, offset, wide[..width]);
            return $"{Name}: {Describe(value)} written";
        }

        public override void Post(string text)
        {
            Span<byte> wide = stackalloc byte[sizeof(ulong)];
            WireFormat.Write(wide, Parse(text));
            session.Client.PostRegionWrite(region, offset, wide[..width]);
        }
    }

    /// <summary>How often a vector has come since the guest attached.</summary>
    private sealed class IrqTarget(ShellSession session, GuestIrq vector) : Target
    {
        public override string Name => $"irq {IrqName.Of((uint)vector.Type)} {vector.Vector}";

        /// <summary>Takes TYPE [VECTOR].</summary>
        public static GuestIrq TakeVector(ShellSession session, Words words) => Verbs.IrqVerbs.TakeVector(session, words);

        public override ulong Read()
        {
            // a reply comes after all that was posted before
            session.Client.GetDeviceInfo();
            return (ulong)vector.Count;
        }

        public override string Describe(ulong read) => read.ToString(CultureInfo.InvariantCulture);

        public override ulong Parse(string text) => session.NumberOf(text);

        public override string Write(string text) => throw new UsageException("An interrupt cannot be written.");

        public override void Post(string text) => throw new UsageException("An interrupt cannot be written.");
    }
}
