namespace VfioUser.Docs.Tests.Polling;

internal sealed class Card() : PciDevice(new PciId(Vendor: 0x1B36, Device: 0x00ED), PciClass.Other);
