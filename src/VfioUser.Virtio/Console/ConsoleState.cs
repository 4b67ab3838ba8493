using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What a migration carries of a console: a bit for each port.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct ConsoleState(uint Ready, uint Open);
